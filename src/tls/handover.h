// Takes an established session from OpenSSL's session object to a record layer of our own (record_layer.h),
// by public means: the traffic secrets come from the key log callback (TLS 1.3) or from the master key
// (TLS 1.2), and the record numbers from the message callback, which counts the records since each side's
// Finished. Private to this room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tls/openssl.h"
#include "tls/record_layer.h"

namespace trunkline::tls {

/// What the callbacks collect during a handshake; wiped when it ends.
struct handover {
  struct secret {
    std::array<std::byte, 48> bytes{};
    std::size_t size = 0;
  };
  ~handover();

  secret client;                   // TLS 1.3: CLIENT_TRAFFIC_SECRET_0
  secret server;                   // TLS 1.3: SERVER_TRAFFIC_SECRET_0
  std::uint64_t records_read = 0;  // under the keys that follow Finished
  std::uint64_t records_written = 0;
  // OpenSSL may hold the head of a record without telling; these are equal only between records.
  std::uint64_t bytes_taken = 0;      // of the peer's stream
  std::uint64_t bytes_announced = 0;  // by the record headers in it
  bool peer_finished = false;
  bool finished = false;
  bool keys_updated = false;  // then these secrets are stale
};

void install_handover_callbacks(SSL_CTX& context);

enum class handover_verdict : std::uint8_t { ready, not_now, never };

/// `not_now`: OpenSSL holds a part of a record, or plaintext. `never`: the session has something that the
/// record layer does not do (a negotiated fragment length, an unusual cipher).
handover_verdict may_hand_over(const SSL& ssl, const handover& collected);

/// Null where OpenSSL fails at deriving the keys.
std::unique_ptr<record_layer> hand_over(const SSL& ssl, const handover& collected, bool server);

}  // namespace trunkline::tls
