// The other replicas: where they are, and what each last said of itself. One per process, any thread; a
// mutex for each look, none on the way of a session's bytes.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "pool/connect.h"
#include "runtime/timer.h"
#include "session/peer_message.h"

namespace trunkline::session {

class peer_table {
 public:
  explicit peer_table(const instance_id& own) : own_(own) {}

  /// These and no others, at most limits::replica_peers; what is known of an address that stays is kept.
  void set(std::vector<pool::server_place> places);
  bool empty() const;
  /// Those which are that replica, as far as is known.
  std::vector<pool::server_place> named(std::uint16_t number) const;
  /// Those that are not known to be another one, nor this process itself. `sure`: that the session is some
  /// replica's; then what they said more than a moment ago does not count.
  std::vector<pool::server_place> unsure(std::uint16_t number, bool sure, runtime::time_point now) const;
  /// True: it is new that this other process has that number.
  bool learn(const net::socket_address& where, const peer_answer& said, runtime::time_point now);
  /// It did not answer as a replica does. True: for the first time since it last did.
  bool blame(const net::socket_address& where);

 private:
  struct peer {
    pool::server_place place;
    std::optional<peer_answer> said;
    runtime::time_point when;
    bool blamed = false;
  };
  bool is_self(const peer& each) const { return each.said && each.said->instance == own_; }

  const instance_id own_;
  mutable std::mutex mutex_;
  std::vector<peer> peers_;
};

}  // namespace trunkline::session
