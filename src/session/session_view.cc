#include <chrono>

#include "base/seconds.h"
#include "session/facts.h"
#include "session/observer.h"

namespace trunkline::session {
session_view view_of(const session_facts& facts, runtime::time_point now) {
  session_view seen;
  seen.id = facts.id;
  seen.worker = facts.worker;
  seen.listener = facts.listener().name;
  if (facts.route != nullptr) {
    seen.route = facts.route->name;
    seen.upstream = facts.route->upstream;
  }
  seen.client = facts.client;
  seen.user = facts.user;
  seen.principal = facts.principal();
  if (facts.access->policy != nullptr) seen.policy = facts.access->policy->says.name;
  seen.database = facts.database;
  seen.application_name = facts.application_name;
  seen.server_name = facts.tls->server_name;
  seen.tls = facts.tls->version;
  seen.endpoint = facts.endpoint;
  seen.server_tls = facts.tls->server;
  seen.server_pid = facts.server_pid;
  seen.state = "login";
  seen.seconds = seconds_of(now - facts.started);
  seen.started = std::chrono::system_clock::now() -
                 std::chrono::duration_cast<std::chrono::system_clock::duration>(now - facts.started);
  seen.idle_seconds = seconds_of(now - facts.last_bytes());
  seen.bytes_in = facts.bytes_from_client;
  seen.bytes_out = facts.bytes_from_server;
  return seen;
}

const char* state_name(char transaction_status, bool idle) {
  switch (transaction_status) {
    case 'I':
      return idle ? "idle" : "active";
    case 'T':
      return "idle in transaction";
    case 'E':
      return "idle in transaction (aborted)";
    default:
      return "passthrough";
  }
}

}  // namespace trunkline::session
