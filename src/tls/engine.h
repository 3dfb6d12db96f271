// One TLS session as bytes in, bytes out (RFC 8446, RFC 5246), over OpenSSL. It knows no socket, thread or
// clock: the caller brings ciphertext that it received and space for what it will send.
//
// Life: server_context::accept() or client_context::connect() -> handshake() until `ok` -> decrypt() and
// encrypt() in any order -> shutdown() -> destruction. The context outlives its engines by shared ownership,
// so a reload does not touch them. One engine belongs to one thread at a time; it may be moved between calls.
//
// Nothing is buffered between calls but what TLS itself makes necessary: a record that arrived in part,
// plaintext that found no room, and output that found no room (`pending_output()`). An idle engine holds none
// of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "tls/certificate.h"

struct ssl_st;

namespace trunkline::tls {

enum class status : std::uint8_t {
  ok,                 ///< done: see each call for what that means
  want_input,         ///< all input was taken and more is needed
  want_output_space,  ///< call again with the rest of the input and with free space (after flush() where it
                      ///< is due)
  peer_closed,        ///< close_notify arrived; nothing further will be decrypted, but encrypt() still works
  failed,             ///< see error_text(); an alert may be waiting in pending_output()
};

/// `consumed` bytes of the input are done with (the caller drops them, whatever `what` says);
/// `produced` bytes of the output are valid. Never more than the spans given.
struct step {
  status what = status::failed;
  std::size_t consumed = 0;
  std::size_t produced = 0;
};

/// How the peers came to speak TLS; it decides whether ALPN is mandatory (PostgreSQL 17, "SSL Session
/// Encryption").
enum class negotiation : std::uint8_t {
  ssl_request,  ///< after SSLRequest and `S`: ALPN may be absent; where it is offered it must name
                ///< `postgresql`
  direct,       ///< the first byte was a ClientHello: ALPN `postgresql` is mandatory
};

/// One record carries at most 16 KiB of plaintext, and adds at most this many bytes with the ciphers that the
/// contexts allow (AEAD only: header 5, explicit nonce 8, content type 1, tag 16).
inline constexpr std::size_t record_plaintext = 16 * 1024;
/// What a record of ours to a client carries at most. PostgreSQL never sends more (its send buffer), and the
/// non-blocking interface of libpq relies on that: with room for 8 KiB it reads a part of a larger record,
/// and no wait for the socket shows the rest.
inline constexpr std::size_t record_plaintext_to_client = 8 * 1024;
inline constexpr std::size_t record_overhead = 32;

inline constexpr std::string_view alpn_protocol = "postgresql";

struct handover;  // handover.h and settled.h, private to this room
struct settled;
struct engine_seed;  // what a context hands over; defined in engine_seed.h, private to this room

class engine {
 public:
  explicit engine(engine_seed&& seed);
  engine(engine&&) noexcept;
  engine& operator=(engine&&) noexcept;
  ~engine();

  /// `ok`: the session is established and its last flight is in `cipher_out`; input behind it is left
  /// unconsumed (it is for decrypt()). On the client role the first call has no input.
  step handshake(byte_span cipher_in, mutable_byte_span cipher_out);

  /// `ok`: all input was taken and plaintext was produced. `want_input`: all input was taken, no plaintext
  /// came of it. `want_output_space`: `plain_out` is full, or (where pending_output() > 0) flush() is due
  /// first. May leave cipher output behind (a key update's answer, an alert): look at pending_output() after
  /// each call.
  step decrypt(byte_span cipher_in, mutable_byte_span plain_out);

  /// `ok`: all of `plain_in` is in `cipher_out`. `want_output_space`: the unconsumed rest wants another call.
  /// Makes progress with any space, even of one byte; comfortable is plaintext + record_overhead per 16 KiB.
  /// Output that was pending comes out first.
  step encrypt(byte_span plain_in, mutable_byte_span cipher_out);

  /// Writes close_notify (once); `ok` when it is all in `cipher_out`. Does not wait for the peer's.
  step shutdown(mutable_byte_span cipher_out);

  /// Cipher bytes that earlier calls produced and found no room for. They must be sent, in order, before
  /// others.
  std::size_t pending_output() const;
  /// `ok` when nothing is pending any more.
  step flush(mutable_byte_span cipher_out);

  /// Plaintext was decrypted already and waits for decrypt() with space (and possibly without any input).
  bool has_plaintext() const;

  bool established() const { return established_; }
  /// close_notify was received. An end of the stream without it is a truncation.
  bool peer_closed() const { return peer_closed_; }

  /// What follows is known once established(), and valid for as long as the engine lives and stays in place.
  std::string_view version() const;  ///< "TLSv1.3"
  std::string_view cipher() const;   ///< "TLS_AES_256_GCM_SHA384"
  std::string_view alpn() const;     ///< empty: none was negotiated
  std::string_view server_name()
      const;  ///< SNI; empty: none was sent. Known to the server after the ClientHello
  bool session_reused() const;
  /// The peer's leaf certificate, verified or not as the context was told; nothing where it sent none.
  std::unique_ptr<certificate_facts> peer_certificate() const;

  /// RFC 5929 section 4.1: the hash of the *server's* certificate, own or peer's according to the role. Empty
  /// where it is not defined (Ed25519: its signature names no hash), and then SCRAM-SHA-256-PLUS cannot be
  /// offered.
  std::vector<std::byte> tls_server_end_point() const;

  /// Why `failed`, in words for a human, for example
  /// "certificate verify failed: hostname mismatch (certificate is for db.example.org)". Empty while nothing
  /// failed.
  std::string_view error_text() const;

 private:
  friend struct engine_access;  // engine_access.h: what OpenSSL's callbacks may touch, private to this room

  void point_callbacks_here();
  void note_established();
  void settle();
  step decrypt_by_openssl(byte_span cipher_in, mutable_byte_span plain_out);
  step encrypt_by_openssl(byte_span plain_in, mutable_byte_span cipher_out);
  step handshake_step(int outcome, std::size_t consumed, std::size_t produced);
  status classify(int outcome);
  step failed_step(std::size_t consumed, std::size_t produced) const;
  void fail_with(std::string text);

  ssl_st* ssl_ = nullptr;                 // null once the session is settled
  std::unique_ptr<handover> handover_;    // until the session is settled, or never can be
  std::unique_ptr<settled> settled_;      // from then on
  std::shared_ptr<const void> context_;   // keeps the context, and all it refers to, alive
  std::unique_ptr<std::string> name_;     // server role: SNI as received; client role: the name connected to
  std::unique_ptr<std::string> failure_;  // only after a failure
  std::unique_ptr<std::vector<std::byte>> pending_;  // only while there is something in it
  bool server_ = false;
  bool direct_ = false;
  bool established_ = false;
  bool peer_closed_ = false;
  bool close_sent_ = false;
};

}  // namespace trunkline::tls
