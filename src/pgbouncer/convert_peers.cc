// peer_id and [peers] become `replicas`: where a cancel request goes that is for another gateway's session.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "config/schema.h"
#include "pgbouncer/conversion_state.h"

namespace trunkline::pgbouncer {

namespace {

constexpr std::string_view no_secret =
    "PgBouncer's peers share no secret. Ours can do without, but then nobody can tell a peer, or a genuine "
    "cancel key, from a guess. Give each the same 32 random bytes in a file: `--replica-key FILE`, or in "
    "YAML `keyFile: FILE` below `replicas:`";

/// All but this one itself, which PgBouncer takes in the list too.
std::vector<std::string> endpoints_of_peers(conversion_state& state, std::int64_t own) {
  std::vector<std::string> all;
  for (const auto& each : state.from.peers) {
    const auto port = each.values.number("port");
    if (port < 1 || port > 65'535) {
      state.problem(each.values, "port", each.name + ": is no port", "a number from 1 to 65535");
      continue;
    }
    if (each.name == std::to_string(own)) continue;
    const auto at = endpoint_of(state, each, each.values.text("host"), static_cast<std::uint16_t>(port));
    if (!at || std::find(all.begin(), all.end(), at->text()) != all.end()) continue;
    if (all.size() < limits::replica_peers) {
      all.push_back(at->text());
    } else {
      state.tell(fate::no_equal, each.where, "[peers] " + each.name,
                 fmt::format("there may be {} others", limits::replica_peers));
    }
  }
  return all;
}

void write_number(conversion_state& state, std::int64_t own) {
  const auto* key = config::find_key("replicas.number");
  if (own <= key->most) return state.out.plain("number", std::to_string(own));
  state.tell(fate::no_equal, state.globals(), "peer_id",
             fmt::format("numbers end at {}: it is made from the name of the host and the first listener",
                         key->most));
  state.out.plain("number", "auto");
}

/// Encrypted where the others take it; who they are the secret tells. What this gateway shows to servers it
/// shows to them.
void write_peer_tls(conversion_state& state) {
  const given_values& globals = state.globals();
  const std::string cert = state.absolute(globals.text("server_tls_cert_file"));
  const std::string key = state.absolute(globals.text("server_tls_key_file"));
  if (!cert.empty() && !key.empty()) {
    state.out.open("tls");
    state.out.text("certFile", cert);
    state.out.text("keyFile", key);
    state.out.close();
  } else if (globals.text("client_tls_sslmode").starts_with("verify")) {
    state.tell(fate::no_equal, globals, "client_tls_sslmode",
               "peers must show a certificate too, and there is none for it: server_tls_cert_file and "
               "server_tls_key_file");
  }
}

}  // namespace

void convert_peers(conversion_state& state) {
  const given_values& globals = state.globals();
  const std::int64_t own = globals.number("peer_id");
  if (own < 0) return state.problem(globals, "peer_id", "cannot be that", "0, or a number of its own");
  if (own == 0) {
    for (const auto& each : state.from.peers)
      state.tell(fate::not_needed, each.where, "[peers] " + each.name, "peer_id is 0: there is no peering");
    return;
  }
  const auto endpoints = endpoints_of_peers(state, own);
  state.out.open("replicas");
  write_number(state, own);
  if (!state.here.replica_key.empty()) {
    state.out.text("keyFile", state.absolute(state.here.replica_key));
  } else if (!endpoints.empty()) {
    state.tell(fate::elsewhere, state.from.peers.front().where, "[peers]", std::string(no_secret));
  }
  if (!endpoints.empty()) {
    state.out.open("peers");
    state.out.texts("endpoints", endpoints);
    state.out.close();
    write_peer_tls(state);
  }
  state.out.close();
}

}  // namespace trunkline::pgbouncer
