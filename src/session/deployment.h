// A configuration made ready for use: its TLS contexts built, its user files read. Immutable; one per reload.
// Workers hold the newest, each session the one it began with. Building reads files: never on a loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "access/policy_set.h"
#include "auth/user_file.h"
#include "base/result.h"
#include "config/settings.h"
#include "identity/desk.h"
#include "net/socket.h"
#include "pool/cluster.h"
#include "session/secret_overlap.h"
#include "tls/client_context.h"
#include "tls/server_context.h"
#include "tls/ticket_keys.h"

namespace trunkline::session {

struct deployment {
  config::snapshot settings;
  /// By index of settings->listeners; null where the listener ends no TLS.
  std::vector<std::shared_ptr<const tls::server_context>> listener_tls;
  /// By index of settings->upstreams; null where TLS is disabled.
  std::vector<std::shared_ptr<const tls::client_context>> upstream_tls;
  /// How other replicas are reached.
  config::upstream peer_leg;
  std::shared_ptr<const tls::client_context> peer_tls;  ///< null where TLS is disabled, or there is no peer
  /// By index of settings->routes; null where the route has no verifier file.
  std::vector<std::shared_ptr<const auth::user_file>> route_users;
  /// By index of settings->routes; null where the route takes no tokens.
  std::vector<std::shared_ptr<const identity::token_checker>> route_tokens;
  std::shared_ptr<const identity::token_checker> admin_tokens;  ///< null: the API takes no issuer's tokens
  std::shared_ptr<const auth::user_file> console_users;         ///< null: there is no console
  std::shared_ptr<const access::policy_set> policies;  ///< null: there are none, and routes alone decide
  /// By index of settings->upstreams: their servers, as known at each moment.
  std::vector<std::shared_ptr<pool::cluster>> clusters;
  secrets_before secrets;
  net::socket_options socket_options;
  std::vector<std::string> warnings;
};

/// The servers of an upstream, by its name.
using cluster_source = std::function<std::shared_ptr<pool::cluster>(const std::string& upstream)>;

/// Who must have signed the certificates of this upstream's servers, where neither a file nor the system says:
/// PEM, empty as long as it is not known.
using authority_source = std::function<std::string(const config::upstream& of)>;

/// Errors name the file, or the key of the configuration, and what is wrong. Without a source there is
/// nothing to connect to, and without a desk nobody who checks tokens: for checking only.
/// `older`: what is in force until then; may be null.
result<std::shared_ptr<const deployment>> build_deployment(config::snapshot settings,
                                                           std::shared_ptr<const tls::ticket_keys> tickets,
                                                           const cluster_source& clusters = nullptr,
                                                           identity::desk* tokens = nullptr,
                                                           const deployment* older = nullptr,
                                                           const authority_source& authorities = nullptr);

}  // namespace trunkline::session
