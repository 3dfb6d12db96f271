// The servers of one upstream as they are known at one moment: immutable, made by pool/cluster_watch.h with
// each change and read by every login. Pure data, any thread; times are the loop's clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"

namespace trunkline::routing {

using moment = std::chrono::steady_clock::time_point;

/// Never used twice in the life of an upstream.
using endpoint_id = std::uint32_t;

enum class endpoint_state : std::uint8_t {
  unknown,  ///< nobody has asked it yet, or nobody ever does (no `health`)
  up,       ///< it accepted the last time
  down,     ///< it did not answer, or refuses sessions
  foreign,  ///< another system identifier than its siblings: not a copy of the same cluster
  self,     ///< the gateway itself: a loop
};

/// `superseded`: a primary whose timeline another primary has left behind.
enum class server_role : std::uint8_t { unknown, primary, replica, superseded };

struct endpoint {
  endpoint_id id = 0;
  std::string name = {};         ///< "db-0.db:5432": for logs and metrics
  config::address address = {};  ///< its host is also the name that its certificate must have
  std::string zone = {};
  endpoint_state state = endpoint_state::unknown;
  server_role role = server_role::unknown;
  std::uint64_t system_identifier = 0;  ///< 0: not known
  std::uint32_t timeline = 0;           ///< 0: not known
  std::uint64_t position = 0;  ///< WAL written (primary) or replayed (replica), in bytes; 0: not known
  std::optional<std::uint64_t> lag_bytes = {};
  /// How far a replica is behind; nothing: not known, or no replica.
  std::optional<std::chrono::milliseconds> lag = {};
  /// A replica has all that the primary had written by then, for certain; nothing: not known.
  std::optional<moment> fresh_as_of = {};
  moment asked{};         ///< when the last answer came
  moment since{};         ///< when state or role changed last
  moment up_since{};      ///< for the slow start
  int version = 0;        ///< server_version_num; 0: not known
  std::string said = {};  ///< its last complaint, or what of it cannot be known and why; may be empty
  bool resolved = false;  ///< its name has been looked up, or need not be
  bool ready = true;      ///< Kubernetes says so, or nobody says anything: preferred for new sessions
  bool leaving = false;   ///< discovery no longer names it: no new sessions
  bool closed = false;    ///< PAUSE or SWITCHOVER: no new sessions, those that there are wait
};

struct topology {
  std::uint64_t generation = 0;  ///< one more with each change
  std::vector<endpoint> endpoints;
  bool discovering = false;       ///< the first answer of discovery is still to come
  std::string discovery_problem;  ///< why its last answer did not come; empty while all is well
  bool probed = false;            ///< every endpoint is asked whether it accepts
  /// And for its role: without it roles are learned from logins, and may be old.
  bool roles_are_watched = false;
  std::chrono::milliseconds most_lag{0};  ///< 0: any
  std::chrono::milliseconds slow_start{0};

  /// The primary that new sessions go to; null while none is known.
  const endpoint* primary() const;
  /// Every endpoint that is asked has answered, or failed to, at least once; names were resolved, or not.
  bool settled() const;
};

const char* name_of(endpoint_state state);
const char* name_of(server_role role);

/// "db-0:5432 is down for 12 s (Connection refused); db-1:5432 is a replica": for whoever gets no server.
std::string describe(const topology& seen, moment now);

}  // namespace trunkline::routing
