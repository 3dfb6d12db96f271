// The low-level SHA256_* functions are deprecated in OpenSSL 3 in favour of EVP, whose per-call cost is
// several times that of one block; they are present in every OpenSSL 3 and their use is kept in this file.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/sha256.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/redacted.h"

namespace trunkline::auth {
namespace {

constexpr std::size_t block_bytes = SHA256_CBLOCK;
using block = std::array<unsigned char, block_bytes>;

void add(SHA256_CTX& context, byte_span bytes) {
  if (!bytes.empty()) SHA256_Update(&context, bytes.data(), bytes.size());
}

digest finish(SHA256_CTX& context) {
  digest out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), &context);
  return out;
}

/// The two states of an HMAC after its padded key: everything about the key that later blocks depend on.
struct hmac_start {
  SHA256_CTX inner;
  SHA256_CTX outer;

  explicit hmac_start(byte_span key) {
    block padded{};
    if (key.size() > block_bytes) {
      const digest hashed = sha256({key});
      std::memcpy(padded.data(), hashed.data(), hashed.size());
    } else if (!key.empty()) {
      std::memcpy(padded.data(), key.data(), key.size());
    }
    for (unsigned char& byte : padded)
      byte ^= 0x36;
    SHA256_Init(&inner);
    SHA256_Update(&inner, padded.data(), padded.size());
    for (unsigned char& byte : padded)
      byte ^= 0x36 ^ 0x5c;
    SHA256_Init(&outer);
    SHA256_Update(&outer, padded.data(), padded.size());
    wipe(padded.data(), padded.size());
  }
  hmac_start(const hmac_start&) = delete;
  hmac_start& operator=(const hmac_start&) = delete;
  ~hmac_start() { wipe(this, sizeof *this); }

  digest of(std::initializer_list<byte_span> parts) const {
    SHA256_CTX context = inner;
    for (byte_span part : parts)
      add(context, part);
    digest hash = finish(context);
    context = outer;
    add(context, hash);
    hash = finish(context);
    wipe(&context, sizeof context);
    return hash;
  }
};

void store_words(unsigned char* to, const SHA256_CTX& from) {
  for (std::size_t i = 0; i < 8; ++i)
    store_u32(reinterpret_cast<std::byte*>(to) + 4 * i, from.h[i]);
}

/// One compression of `data`, which is a whole padded last block, on top of `start`.
void compress(SHA256_CTX& context, const SHA256_CTX& start, const block& data) {
  std::memcpy(context.h, start.h, sizeof context.h);
  SHA256_Transform(&context, data.data());
}

/// A block that holds a digest and the padding for a message of one key block and this digest.
block digest_block(const digest& value) {
  block out{};
  std::memcpy(out.data(), value.data(), value.size());
  out[sha256_bytes] = 0x80;
  store_u32(reinterpret_cast<std::byte*>(out.data()) + block_bytes - 4, 8 * (block_bytes + sha256_bytes));
  return out;
}

}  // namespace

digest sha256(std::initializer_list<byte_span> parts) {
  SHA256_CTX context;
  SHA256_Init(&context);
  for (byte_span part : parts)
    add(context, part);
  const digest out = finish(context);
  wipe(&context, sizeof context);
  return out;
}

digest hmac_sha256(byte_span key, std::initializer_list<byte_span> parts) {
  return hmac_start(key).of(parts);
}

digest pbkdf2_sha256(byte_span password, byte_span salt, std::uint32_t iterations) {
  const hmac_start start(password);
  std::array<std::byte, 4> block_number{};
  store_u32(block_number.data(), 1);
  digest first = start.of({salt, block_number});

  // From here on every message is one digest long, so that both hashes of an HMAC are a single compression.
  block data = digest_block(first);
  std::array<std::uint32_t, 8> sum;
  for (std::size_t i = 0; i < sum.size(); ++i)
    sum[i] = load_u32(first.data() + 4 * i);
  SHA256_CTX context = start.inner;
  for (std::uint32_t i = 1; i < iterations; ++i) {
    compress(context, start.inner, data);
    store_words(data.data(), context);
    compress(context, start.outer, data);
    store_words(data.data(), context);
    for (std::size_t word = 0; word < sum.size(); ++word)
      sum[word] ^= context.h[word];
  }

  digest out;
  for (std::size_t i = 0; i < sum.size(); ++i)
    store_u32(out.data() + 4 * i, sum[i]);
  wipe(first.data(), first.size());
  wipe(data.data(), data.size());
  wipe(sum.data(), sizeof sum);
  wipe(&context, sizeof context);
  return out;
}

bool equal_in_constant_time(byte_span left, byte_span right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

}  // namespace trunkline::auth
