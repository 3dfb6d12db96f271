// What a running gateway shows of itself to those who only look: the admin HTTP server and the console. Every
// call may be made from any thread but a worker's, copies, and waits at most `limits::observe_timeout` for a
// worker that is busy (its part is then missing, and `complete` says so). Implemented by main.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/settings.h"
#include "telemetry/flight_recorder.h"
#include "telemetry/pool_metrics.h"
#include "telemetry/route_metrics.h"

namespace trunkline::pool {
class cluster;
class link;
class link_pool;
class statement_book;
}  // namespace trunkline::pool

namespace trunkline::session {

class pooled_server;
struct pooled_rest;
struct session_facts;
struct upstream_view;
struct pool_view;
struct prepared_view;

/// One server connection of a pool as it is now.
struct server_view {
  std::uint64_t number = 0;
  unsigned worker = 0;
  std::string upstream;
  std::string database;  ///< as the client asked for it that the pool was made for
  std::string user;      ///< at the server
  std::string endpoint;
  std::string local;  ///< the gateway's own address
  std::string tls;    ///< empty: plaintext
  std::uint32_t pid = 0;
  std::string state;  ///< active | idle | tested
  std::chrono::system_clock::time_point connected;
  double idle_seconds = 0;    ///< since a client gave it back; 0 where one has it
  std::uint64_t clients = 0;  ///< times that one got it
};

/// What a session on a pooled route has of its pool.
struct pooled_view {
  std::string mode;  ///< session | transaction
  std::string database;
  std::string user;         ///< of the pool
  double wait_seconds = 0;  ///< how long it has been waiting for a connection
  bool waits = false;
  std::string pinned = {};  ///< why it keeps its connection between transactions; empty: it does not
  double pinned_seconds = 0;
  bool asleep = false;                     ///< it has done nothing for so long that only its place is kept
  std::optional<server_view> server = {};  ///< the connection that it has now
};

/// One connection as TCP sees it.
struct leg_view {
  double rtt_seconds = 0;
  std::uint32_t retransmits = 0;  ///< segments, over the connection's life
};

/// One session as it is now.
struct session_view {
  std::uint64_t id = 0;
  unsigned worker = 0;
  std::string listener;
  std::string route;  ///< empty before one was chosen
  std::string upstream;
  std::string client;
  std::string user;
  std::string policy;     ///< access policy that let it in; empty: there are none
  std::string principal;  ///< who the client is; the user's name where the method knows no more
  std::string database;
  std::string application_name;
  std::string server_name;
  std::string tls;  ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  std::string endpoint;
  std::string server_tls;
  std::string local;             ///< the gateway's own address towards the server
  std::uint32_t server_pid = 0;  ///< backend process at the server; 0: not known
  std::string
      state;  ///< login | active | idle | idle in transaction | idle in transaction (aborted) | passthrough
  char transaction_status = '-';
  std::chrono::system_clock::time_point started;
  double seconds = 0;           ///< since it was accepted
  double idle_seconds = 0;      ///< since the last byte
  double exchange_seconds = 0;  ///< how long the present exchange has been going on; 0: none
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t exchanges = 0;
  std::optional<leg_view> client_leg;  ///< nothing: a unix socket, or not known
  std::optional<leg_view> server_leg;
  std::optional<pooled_view> pooled;  ///< nothing: its server connection is its own
  bool outlives_server = false;       ///< pooled, and on no connection that is to end
};

/// What the facts alone tell; a session that has a relay knows more. `now` is the loop's clock.
session_view view_of(const session_facts& facts, std::chrono::steady_clock::time_point now);
/// What a cluster is now.
upstream_view view_of(const pool::cluster& of, std::chrono::steady_clock::time_point now);
/// What a pool is now.
pool_view view_of(const pool::link_pool& of);
/// What a session has of its pool; on its thread.
pooled_view view_of(const pooled_server& of, std::chrono::steady_clock::time_point now);
/// The same of one that sleeps.
pooled_view view_of(const pooled_rest& of, config::pooling_mode mode);
/// What a connection is that nobody has; on its worker's thread.
server_view view_of(const pool::link& of, const pool::link_pool& in,
                    std::chrono::steady_clock::time_point now);
/// At most `limits::prepared_shown`.
std::vector<prepared_view> view_of(const pool::statement_book& of);
/// As pg_stat_activity calls it; `idle`: nothing outstanding.
const char* state_name(char transaction_status, bool idle);

struct sessions_view {
  std::vector<session_view> sessions;
  std::vector<server_view> spare;  ///< connections of pools that no session has
  bool complete = true;
};

/// A prepared statement that pooled clients share.
struct prepared_view {
  std::string name;         ///< at the servers
  std::string text;         ///< as clients wrote it, at most `limits::statement_head_bytes` of it
  std::uint64_t uses = 0;   ///< times that a client has prepared it
  std::uint64_t users = 0;  ///< clients that have it now; one that has it twice may count twice
};

struct exchanges_view {
  std::vector<telemetry::flight_record> slowest;  ///< of all workers, slowest first
  std::vector<telemetry::flight_record> failed;   ///< newest first
};

/// One server of an upstream, as it is known now.
struct endpoint_view {
  std::string name;
  std::string addresses;  ///< where the name leads, ", " between them
  std::string zone;
  std::string state;                    ///< unknown | up | down | foreign | self | leaving
  std::string role;                     ///< unknown | primary | replica | superseded
  std::string said;                     ///< why it is so; may be empty
  std::uint64_t system_identifier = 0;  ///< 0: not known
  std::uint32_t timeline = 0;           ///< 0: not known
  int version = 0;                      ///< server_version_num; 0: not known
  std::optional<double> lag_seconds;
  std::optional<std::uint64_t> lag_bytes;
  double since_seconds = 0;             ///< how long state and role have been so
  std::optional<double> asked_seconds;  ///< since its last answer; nothing: it never gave one
  double ejected_seconds = 0;           ///< how long it will still rest; 0: it does not
  std::uint64_t sessions = 0;
  std::uint64_t logins_waiting = 0;
  std::uint64_t logins_under_way = 0;
};

struct upstream_view {
  std::string name;
  std::uint64_t generation = 0;  ///< one more with each change of its endpoints
  std::string primary;           ///< empty: none is known
  bool paused = false;
  std::string discovery_problem;  ///< empty: names are resolved
  std::uint64_t discovery_failures = 0;
  /// Since the Kubernetes API last said that all is as it is known here; nothing: it is not asked, or never
  /// did.
  std::optional<double> discovery_age_seconds = {};
  std::uint64_t held = 0;   ///< sessions that wait for a server now
  std::uint64_t holds = 0;  ///< that ever did, and how long in all
  double held_seconds = 0;
  std::uint64_t failovers = 0;  ///< times that a primary was lost and one was found again
  double last_gap_seconds = 0;  ///< how long there was none the last time
  std::vector<endpoint_view> endpoints;
};

/// The audit's state; `enabled` false: there is none.
struct audit_view {
  bool enabled = false;
  bool blocked = false;  ///< a sink fails; sessions are stopped (block) or events are lost (continue)
  std::string problem;
  std::uint64_t events = 0;   ///< written
  std::uint64_t dropped = 0;  ///< lost, each told by a `gap` event
  double lag_seconds = 0;     ///< age of the oldest event that is not on disk
};

/// Requests for access and grants; `enabled` false: there is no store.
struct access_view {
  bool enabled = false;
  bool works = true;  ///< the store
  std::size_t open = 0;
  std::size_t active = 0;
  std::uint64_t refused = 0;
  std::uint64_t waiting = 0;  ///< sessions
  /// What this gateway has done, by name.
  std::vector<std::pair<std::string, std::uint64_t>> changes = {};
  std::uint64_t hooks_delivered = 0;
  std::uint64_t hooks_lost = 0;
  std::size_t roles = 0;  ///< of grants, at servers, of this gateway
  /// What it has done about them, by name.
  std::vector<std::pair<std::string, std::uint64_t>> role_changes = {};
};

struct certificate_view {
  std::string listener;  ///< or "upstream:NAME" for the gateway's own client certificate
  std::string subject;
  std::chrono::system_clock::time_point expires;
};

/// One pool of shared server connections; names as SHOW POOLS has them. Times in microseconds.
struct pool_view {
  std::string upstream = {};
  std::string target = {};    ///< primary | replica | preferReplica | any
  std::string route = {};     ///< of the client that it was made for
  std::string database = {};  ///< as that client asked for it
  std::string user = {};      ///< at the server
  std::uint64_t cl_active = 0;
  std::uint64_t cl_waiting = 0;
  std::uint64_t sv_active = 0;
  std::uint64_t sv_idle = 0;
  std::uint64_t sv_tested = 0;  ///< the last client's traces are being removed
  std::uint64_t sv_login = 0;
  std::uint64_t maxwait_us = 0;
  std::string pool_mode = {};  ///< session | transaction
  std::uint64_t size = 0;      ///< at most so many server connections
  std::uint64_t min_idle = 0;
  std::uint64_t listen_missed = 0;  ///< times that a client was told that it may have missed notifications
  std::uint64_t waits = 0;          ///< of clients that found no connection at once, and how long in all
  std::uint64_t waited_us = 0;

  /// Another one's clients and connections, too.
  void add(const pool_view& other);
  std::uint64_t servers() const { return sv_active + sv_idle + sv_tested + sv_login; }
};

class observer {
 public:
  virtual ~observer() = default;

  virtual sessions_view sessions() = 0;
  virtual exchanges_view exchanges() = 0;
  /// Live objects, for reading; they stay for the life of the process.
  virtual std::vector<const telemetry::route_metrics*> routes() = 0;
  virtual std::vector<const telemetry::worker_metrics*> workers() = 0;
  virtual config::snapshot settings() = 0;
  /// By name.
  virtual std::vector<upstream_view> upstreams() = 0;
  /// Pools of shared server connections, where there are any. They win over what sessions alone tell.
  virtual std::vector<pool_view> pools() { return {}; }
  /// Prepared statements of pooled clients, the most used first, at most `limits::prepared_shown`.
  virtual std::vector<prepared_view> prepared() { return {}; }
  /// Live objects, for reading: of each upstream with pools and each worker; they stay.
  virtual std::vector<const telemetry::pool_metrics*> pool_counts() { return {}; }
  /// DISABLE: no new sessions of that database.
  virtual bool disabled(const std::string& /*database*/) { return false; }
  virtual audit_view audit() = 0;
  virtual access_view access() { return {}; }
  virtual std::vector<certificate_view> certificates() = 0;
  virtual std::chrono::system_clock::time_point started() const = 0;
  virtual bool draining() const = 0;
  /// Configured, listening and not draining.
  virtual bool ready() const = 0;
  virtual std::uint64_t config_reload_failures() const = 0;
  virtual std::uint64_t not_postgres() const = 0;
  /// By result, as `cancels_total{result}`.
  virtual std::vector<std::pair<std::string, std::uint64_t>> cancels() = 0;
  /// By result, as `rbac_reviews_total{result}`.
  virtual std::vector<std::pair<std::string, std::uint64_t>> rbac_reviews() { return {}; }
};

}  // namespace trunkline::session
