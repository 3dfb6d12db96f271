// Who a cancel key belongs to. One per process, shared by all workers; a mutex is held for a look-up, never
// on the way of a session's bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "pool/connect.h"
#include "session/cancel_key.h"
#include "session/deployment.h"

namespace trunkline::session {

class cancel_taker;

/// How to cancel a session's statement: the server it is on and the key that server gave.
struct cancel_target {
  std::uint64_t session = 0;
  std::shared_ptr<const deployment> setup;
  std::size_t upstream = 0;
  pool::server_place place;
  std::uint32_t server_pid = 0;
  std::vector<std::byte> server_key;
};

/// The session whose statement a key cancels, and how: one of the two.
struct cancel_owner {
  std::uint64_t session = 0;
  std::shared_ptr<const cancel_target> target = nullptr;  ///< it stays on one server
  runtime::loop* where = nullptr;  ///< a pooled session: there it is asked (cancel_registry::taker)

  explicit operator bool() const { return target != nullptr || where != nullptr; }
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
    cancel_owner owner() const;
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
  issued add(std::shared_ptr<const cancel_target> target, bool long_key);
  /// For a pooled session. It outlives the ticket, which goes on its loop's thread.
  issued add(cancel_taker& taker, bool long_key);
  /// Nobody where the key is not, or no longer, one of ours.
  cancel_owner find(std::uint32_t pid, byte_span key) const;
  /// A pooled session that has been found; null: it has gone. On its loop, and good for the turn.
  cancel_taker* taker(std::uint32_t pid, std::uint64_t session) const;

 private:
  // Nobody, a session that stays on one server, or a pooled one.
  using holder = std::variant<std::monostate, std::shared_ptr<const cancel_target>, cancel_taker*>;
  struct slot {
    holder who;
    std::uint32_t pid = 0;
    std::uint8_t key_size = 0;
    cancel_key_end key;  // its first bytes, where the whole key is shorter
  };
  static cancel_owner owner_of(const holder& who);
  issued take_slot(holder who, bool long_key);
  void remove(std::uint32_t pid);

  mutable std::mutex mutex_;
  std::uint16_t replica_;
  cancel_mac_key mac_key_;
  std::deque<slot> slots_;  // grows without a move, and by little
  std::vector<std::uint32_t> free_;
};

}  // namespace trunkline::session
