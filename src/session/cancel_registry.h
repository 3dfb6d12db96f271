// Who a cancel key belongs to. One per process, shared by all workers; a mutex is held for a look-up, never
// on the way of a session's bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "pool/connect.h"
#include "session/cancel_key.h"
#include "session/deployment.h"

namespace trunkline::session {

class pooled_door;

/// How to cancel a session's statement: the server it is on and the key that server gave.
struct cancel_target {
  std::uint64_t session = 0;
  std::shared_ptr<const deployment> setup;
  std::size_t upstream = 0;
  pool::server_place place;
  std::uint32_t server_pid = 0;
  std::vector<std::byte> server_key;
};

/// Whose statement a key cancels: one of the two. There is one for each session.
struct cancel_owner {
  std::shared_ptr<const cancel_target> target = nullptr;  ///< it stays on one server
  std::shared_ptr<pooled_door> door = nullptr;            ///< a pooled session: it knows what it is on

  explicit operator bool() const { return target != nullptr || door != nullptr; }
  std::uint64_t session() const;
};

class cancel_registry {
 public:
  cancel_registry(std::uint16_t replica, const cancel_mac_key& mac_key)
      : replica_(replica), mac_key_(mac_key) {}

  /// New keys are of that replica, and signed with that key; those that were given before stay valid.
  void identify(std::uint16_t replica, const cancel_mac_key& mac_key);

  /// Keeps a key valid as long as it lives.
  class ticket {
   public:
    ticket() = default;
    ticket(ticket&& other) noexcept;
    ticket& operator=(ticket&& other) noexcept;
    ~ticket();

    std::uint32_t pid() const { return pid_; }
    /// Precondition: not empty.
    cancel_owner owner() const { return registry_->owner_of(pid_); }
    explicit operator bool() const { return registry_ != nullptr; }

   private:
    friend class cancel_registry;
    cancel_registry* registry_ = nullptr;
    std::uint32_t pid_ = 0;
  };

  /// A key for the client to be told, with the pid of its ticket.
  struct issued {
    cancel_registry::ticket ticket;  ///< empty: all slots are taken
    std::vector<std::byte> key;
  };

  /// `long_key`: for a client of protocol 3.2.
  issued add(cancel_owner owner, bool long_key);
  /// Nobody where the key is not, or no longer, one of ours.
  cancel_owner find(std::uint32_t pid, byte_span key) const;

 private:
  struct slot {
    cancel_owner owner;
    std::uint32_t pid = 0;
    std::uint8_t key_size = 0;
    long_cancel_key key;  // its first bytes are as the client was told
  };
  cancel_owner owner_of(std::uint32_t pid) const;
  void remove(std::uint32_t pid);

  mutable std::mutex mutex_;
  std::uint16_t replica_;
  cancel_mac_key mac_key_;
  std::deque<slot> slots_;  // grows without a move, and by little
  std::vector<std::uint32_t> free_;
};

}  // namespace trunkline::session
