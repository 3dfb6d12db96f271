#include "session/cancel_key.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>

namespace trunkline::session {
namespace {

constexpr std::byte version_1{1};
constexpr std::size_t signed_bytes = 19;
constexpr std::size_t mac_bytes = 16;

std::array<std::byte, mac_bytes> mac_of(const cancel_mac_key& mac_key, std::uint32_t pid, byte_span fields) {
  std::array<std::byte, 4 + signed_bytes> message;
  store_u32(message.data(), pid);
  std::memcpy(message.data() + 4, fields.data(), signed_bytes);
  unsigned char whole[32];
  unsigned length = sizeof whole;
  ::HMAC(::EVP_sha256(), mac_key.data(), static_cast<int>(mac_key.size()),
         reinterpret_cast<const unsigned char*>(message.data()), message.size(), whole, &length);
  std::array<std::byte, mac_bytes> mac;
  std::memcpy(mac.data(), whole, mac.size());
  return mac;
}

}  // namespace

long_cancel_key make_long_key(const cancel_mac_key& mac_key, cancel_pid pid, std::uint64_t session,
                              const cancel_nonce& nonce) {
  long_cancel_key key;
  key[0] = version_1;
  store_u16(key.data() + 1, pid.replica);
  store_big_endian(key.data() + 3, session);
  std::memcpy(key.data() + 11, nonce.data(), nonce.size());
  const auto mac = mac_of(mac_key, pid.encode(), byte_span(key).first(signed_bytes));
  std::copy(mac.begin(), mac.end(), key.begin() + signed_bytes);
  return key;
}

std::optional<long_key_facts> read_long_key(const cancel_mac_key& mac_key, std::uint32_t pid, byte_span key) {
  if (key.size() != long_cancel_key_bytes || key[0] != version_1) return std::nullopt;
  const auto expected = mac_of(mac_key, pid, key.first(signed_bytes));
  if (::CRYPTO_memcmp(expected.data(), key.data() + signed_bytes, mac_bytes) != 0) return std::nullopt;
  return long_key_facts{load_u16(key.data() + 1), load_big_endian<std::uint64_t>(key.data() + 3)};
}

}  // namespace trunkline::session
