// The keys under which a server role seals its session tickets (RFC 5077, RFC 8446 section 4.6.1): stateless
// resumption, no session cache. One object outlives the contexts that are rebuilt at each reload, so that
// clients keep resuming. Thread-safe; used once per handshake, never on the way of a session's bytes.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"

namespace trunkline::tls {

class ticket_keys {
 public:
  struct key {
    key();   ///< random
    ~key();  ///< wiped
    key(const key&) = delete;
    key& operator=(const key&) = delete;

    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;  ///< AES-256-CBC
    std::array<unsigned char, 32> mac;     ///< HMAC-SHA-256
  };

  ticket_keys();

  /// A fresh key seals from now on; the limits::tls_ticket_keys_kept before it still open. To be called about
  /// every limits::tls_ticket_key_rotation by whoever has the clock.
  void rotate();

  /// The key that seals. Never null.
  std::shared_ptr<const key> sealing() const;
  /// The key of that name (16 bytes), or null where it is too old or not ours.
  std::shared_ptr<const key> named(byte_span name) const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const key>> keys_;  ///< newest first
};

}  // namespace trunkline::tls
