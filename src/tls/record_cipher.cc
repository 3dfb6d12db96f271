#include "tls/record_cipher.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>

#include "base/redacted.h"
#include "tls/openssl.h"

namespace trunkline::tls {
namespace {

constexpr std::size_t tag_bytes = 16;
constexpr std::size_t explicit_nonce_bytes = 8;
constexpr std::size_t impossible = SIZE_MAX;

const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
unsigned char* raw(std::byte* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

const EVP_CIPHER* cipher_of(aead algorithm) {
  switch (algorithm) {
    case aead::aes_128_gcm:
      return EVP_aes_128_gcm();
    case aead::aes_256_gcm:
      return EVP_aes_256_gcm();
    case aead::chacha20_poly1305:
      return EVP_chacha20_poly1305();
  }
  return nullptr;
}

std::size_t key_bytes(aead algorithm) {
  return algorithm == aead::aes_128_gcm ? 16 : 32;
}
std::size_t hash_bytes(prf_hash hash) {
  return hash == prf_hash::sha256 ? 32 : 48;
}

bool pass(EVP_CIPHER_CTX* context, byte_span in, std::byte* out) {
  int count = 0;
  if (in.empty()) return true;
  return EVP_CipherUpdate(context, raw(out), &count, raw(in.data()), static_cast<int>(in.size())) == 1;
}

bool finish(EVP_CIPHER_CTX* context) {
  unsigned char none[16];
  int count = 0;
  return EVP_CipherFinal_ex(context, none, &count) == 1;
}

void put_header(std::byte* out, content type, std::size_t fragment) {
  out[0] = static_cast<std::byte>(type);
  store_u16(out + 1, 0x0303);  // legacy_record_version
  store_u16(out + 3, static_cast<std::uint16_t>(fragment));
}

}  // namespace

bool expand_label(prf_hash hash, byte_span secret, std::string_view label, mutable_byte_span out) {
  constexpr std::string_view prefix = "tls13 ";
  std::array<unsigned char, 64> info{};
  std::size_t size = 0;
  info[size++] = 0;
  info[size++] = static_cast<unsigned char>(out.size());
  info[size++] = static_cast<unsigned char>(prefix.size() + label.size());
  for (const std::string_view part : {prefix, label}) {
    std::memcpy(info.data() + size, part.data(), part.size());
    size += part.size();
  }
  info[size++] = 0;  // no context
  info[size++] = 1;  // HKDF-Expand: the first and only block (RFC 5869 section 2.3)
  std::array<unsigned char, EVP_MAX_MD_SIZE> block{};
  unsigned int made = 0;
  const EVP_MD* digest = hash == prf_hash::sha256 ? EVP_sha256() : EVP_sha384();
  const bool good = HMAC(digest, secret.data(), static_cast<int>(secret.size()), info.data(), size,
                         block.data(), &made) != nullptr &&
                    made >= out.size();
  if (good) std::memcpy(out.data(), block.data(), out.size());
  wipe(block.data(), block.size());
  return good;
}

record_cipher::record_cipher(flow direction, aead algorithm, std::uint64_t sequence)
    : context_(EVP_CIPHER_CTX_new()), sequence_(sequence), direction_(direction), algorithm_(algorithm) {}

record_cipher::~record_cipher() {
  EVP_CIPHER_CTX_free(context_);  // wipes the key
  wipe(secret_.data(), secret_.size());
}

std::unique_ptr<record_cipher> record_cipher::of_secret(flow direction, aead algorithm, prf_hash hash,
                                                        byte_span secret, std::uint64_t sequence) {
  std::unique_ptr<record_cipher> made(new record_cipher(direction, algorithm, sequence));
  made->tls_1_3_ = true;
  made->hash_ = hash;
  if (secret.size() != hash_bytes(hash)) return nullptr;
  std::memcpy(made->secret_.data(), secret.data(), secret.size());
  return made->derive() ? std::move(made) : nullptr;
}

std::unique_ptr<record_cipher> record_cipher::of_key(flow direction, aead algorithm, byte_span key,
                                                     byte_span iv, std::uint64_t sequence) {
  std::unique_ptr<record_cipher> made(new record_cipher(direction, algorithm, sequence));
  const std::size_t iv_size = made->explicit_nonce() ? 4 : 12;
  if (made->context_ == nullptr || key.size() != key_bytes(algorithm) || iv.size() != iv_size) return nullptr;
  std::memcpy(made->iv_.data(), iv.data(), iv.size());
  const int sealing = direction == flow::sealing ? 1 : 0;
  const bool good =
      EVP_CipherInit_ex(made->context_, cipher_of(algorithm), nullptr, raw(key.data()), nullptr, sealing);
  return good ? std::move(made) : nullptr;
}

bool record_cipher::derive() {
  std::array<std::byte, 32> key{};
  const mutable_byte_span key_part = mutable_byte_span(key).first(key_bytes(algorithm_));
  const byte_span secret = byte_span(secret_).first(hash_bytes(hash_));
  const int sealing = direction_ == flow::sealing ? 1 : 0;
  const bool good =
      context_ != nullptr && expand_label(hash_, secret, "key", key_part) &&
      expand_label(hash_, secret, "iv", iv_) &&
      EVP_CipherInit_ex(context_, cipher_of(algorithm_), nullptr, raw(key.data()), nullptr, sealing) == 1;
  wipe(key.data(), key.size());
  return good;
}

bool record_cipher::update() {
  std::array<std::byte, 48> next{};
  const std::size_t size = hash_bytes(hash_);
  if (!expand_label(hash_, byte_span(secret_).first(size), "traffic upd",
                    mutable_byte_span(next).first(size))) {
    return false;
  }
  secret_ = next;
  wipe(next.data(), next.size());
  sequence_ = 0;
  return derive();
}

std::size_t record_cipher::overhead() const {
  return record_header_bytes + tag_bytes + (tls_1_3_ ? 1 : 0) + (explicit_nonce() ? explicit_nonce_bytes : 0);
}

std::size_t record_cipher::opened_size(std::size_t fragment) const {
  const std::size_t added = tag_bytes + (explicit_nonce() ? explicit_nonce_bytes : 0);
  return fragment < added ? impossible : fragment - added;
}

/// Nonce and additional data of the record with the present sequence number.
bool record_cipher::start_record(content type, std::size_t plain_size, byte_span header,
                                 const std::byte* explicit_part) {
  std::array<std::byte, 12> nonce = iv_;
  std::array<std::byte, 8> number;
  store_big_endian(number.data(), sequence_);
  if (explicit_part != nullptr) {
    std::memcpy(nonce.data() + 4, explicit_part, explicit_nonce_bytes);
  } else {
    for (std::size_t i = 0; i < number.size(); ++i)
      nonce[4 + i] ^= number[i];
  }
  if (EVP_CipherInit_ex(context_, nullptr, nullptr, nullptr, raw(nonce.data()), -1) != 1) return false;

  std::array<std::byte, 13> old_style;  // RFC 5246: sequence, type, version, length of the plaintext
  byte_span additional = header;
  if (!tls_1_3_) {
    std::memcpy(old_style.data(), number.data(), number.size());
    put_header(old_style.data() + number.size(), type, plain_size);
    additional = old_style;
  }
  int count = 0;
  return EVP_CipherUpdate(context_, nullptr, &count, raw(additional.data()),
                          static_cast<int>(additional.size())) == 1;
}

bool record_cipher::seal(content type, byte_span plain, std::byte* out) {
  const std::size_t fragment = plain.size() + overhead() - record_header_bytes;
  put_header(out, tls_1_3_ ? content::application_data : type, fragment);
  std::byte* body = out + record_header_bytes;
  if (explicit_nonce()) store_big_endian(body, sequence_);
  const std::byte* nonce = explicit_nonce() ? body : nullptr;
  if (!start_record(type, plain.size(), byte_span(out, record_header_bytes), nonce)) return false;
  if (nonce != nullptr) body += explicit_nonce_bytes;
  if (!pass(context_, plain, body)) return false;
  body += plain.size();
  if (tls_1_3_) {
    const auto inner = static_cast<std::byte>(type);
    if (!pass(context_, byte_span(&inner, 1), body)) return false;
    ++body;
  }
  if (!finish(context_) || EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, tag_bytes, body) != 1)
    return false;
  ++sequence_;
  return true;
}

bool record_cipher::open(byte_span header, byte_span fragment, mutable_byte_span first,
                         mutable_byte_span second) {
  const std::byte* nonce = explicit_nonce() ? fragment.data() : nullptr;
  const std::size_t size = first.size() + second.size();
  if (size != opened_size(fragment.size())) return false;
  const byte_span body = fragment.subspan(nonce != nullptr ? explicit_nonce_bytes : 0, size);
  std::array<std::byte, tag_bytes> tag;
  std::memcpy(tag.data(), fragment.data() + fragment.size() - tag_bytes, tag_bytes);
  const bool good = start_record(static_cast<content>(header[0]), size, header, nonce) &&
                    pass(context_, body.first(first.size()), first.data()) &&
                    pass(context_, body.subspan(first.size()), second.data()) &&
                    EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1 &&
                    finish(context_);
  if (good) {
    ++sequence_;
    return true;
  }
  if (!first.empty()) wipe(first.data(), first.size());
  if (!second.empty()) wipe(second.data(), second.size());
  ERR_clear_error();
  return false;
}

}  // namespace trunkline::tls
