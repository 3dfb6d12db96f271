// What sessions are told of their server when it is no longer right for them. Value type.
#pragma once

#include <memory>

#include "pool/member.h"
#include "routing/topology.h"

namespace trunkline::pool {

struct eviction {
  std::shared_ptr<const member> from;
  routing::server_role role = routing::server_role::unknown;  ///< what it is now
  bool leaving = false;                                       ///< whatever it is: everybody
  bool at_once = false;  ///< also those in a transaction: what they would commit is lost
};

}  // namespace trunkline::pool
