// One direction of a TLS record stream: seals or opens single records under one key (RFC 8446 section 5.2,
// RFC 5246 section 6.2.3.3, RFC 5288, RFC 7905). Knows bytes and keys only; it keeps no record. Private to
// this room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

struct evp_cipher_ctx_st;

namespace trunkline::tls {

enum class content : std::uint8_t {
  change_cipher_spec = 20,
  alert = 21,
  handshake = 22,
  application_data = 23
};
enum class aead : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };
enum class prf_hash : std::uint8_t { sha256, sha384 };
enum class flow : std::uint8_t { sealing, opening };

inline constexpr std::size_t record_header_bytes = 5;

class record_cipher {
 public:
  /// TLS 1.3: keys come of a traffic secret (RFC 8446 section 7.3). Null when OpenSSL refuses.
  static std::unique_ptr<record_cipher> of_secret(flow direction, aead algorithm, prf_hash hash,
                                                  byte_span secret, std::uint64_t sequence);
  /// TLS 1.2: `iv` is the salt of 4 bytes with AES-GCM, and has 12 bytes with ChaCha20.
  static std::unique_ptr<record_cipher> of_key(flow direction, aead algorithm, byte_span key, byte_span iv,
                                               std::uint64_t sequence);
  ~record_cipher();
  record_cipher(const record_cipher&) = delete;
  record_cipher& operator=(const record_cipher&) = delete;

  bool is_tls_1_3() const { return tls_1_3_; }
  std::uint64_t sequence() const { return sequence_; }
  /// What sealing adds to the plaintext, header included; at most record_overhead (engine.h).
  std::size_t overhead() const;

  /// TLS 1.3 key update: the next generation of the secret (RFC 8446 section 7.2).
  bool update();

  /// Writes plain.size() + overhead() bytes to `out`. False: OpenSSL failed, nothing of `out` is usable.
  bool seal(content type, byte_span plain, std::byte* out);

  /// Bytes that opening this fragment (a record without its header) yields, in TLS 1.3 with the inner type
  /// and the padding. Nothing sensible (above 2^14 + 256) where the fragment is too short to be one.
  std::size_t opened_size(std::size_t fragment) const;
  /// Opens into `first`, and what does not fit there into `second`; their sizes add up to opened_size().
  /// False: not authentic (or OpenSSL failed); then both are overwritten.
  bool open(byte_span header, byte_span fragment, mutable_byte_span first, mutable_byte_span second);

 private:
  record_cipher(flow direction, aead algorithm, std::uint64_t sequence);
  bool derive();
  bool start_record(content type, std::size_t plain_size, byte_span header, const std::byte* explicit_nonce);
  bool explicit_nonce() const { return !tls_1_3_ && algorithm_ != aead::chacha20_poly1305; }

  evp_cipher_ctx_st* context_;
  std::uint64_t sequence_;
  std::array<std::byte, 48> secret_{};  // TLS 1.3 only
  std::array<std::byte, 12> iv_{};
  flow direction_;
  aead algorithm_;
  prf_hash hash_ = prf_hash::sha256;
  bool tls_1_3_ = false;
};

/// HKDF-Expand-Label with an empty context, for outputs of at most one hash (RFC 8446 section 7.1).
bool expand_label(prf_hash hash, byte_span secret, std::string_view label, mutable_byte_span out);

}  // namespace trunkline::tls
