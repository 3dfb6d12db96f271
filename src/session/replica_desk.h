// What a gateway knows of being one of several (docs/cancel.md). One per process, shared by all workers; each
// member is safe for any thread.
#pragma once

#include <atomic>

#include "session/guess_limiter.h"
#include "session/peer_message.h"
#include "session/peer_table.h"
#include "session/replica_keys.h"

namespace trunkline::session {

struct replica_desk {
  explicit replica_desk(const instance_id& own) : instance(own), peers(own) {}

  const instance_id instance;
  std::atomic<std::uint16_t> number{0};  ///< of new cancel keys; 0 only before the first configuration
  replica_keyring keys;
  peer_table peers;
  guess_limiter guesses;
};

}  // namespace trunkline::session
