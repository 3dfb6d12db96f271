#include "session/deployment.h"

#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

namespace trunkline::session {
namespace {

tls::protocol_version version_of(config::tls_version version) {
  return version == config::tls_version::tls1_3 ? tls::protocol_version::tls_1_3
                                                : tls::protocol_version::tls_1_2;
}

bool ends_tls(const config::listener& listener) {
  return listener.tls.mode == config::listener_tls_mode::allow ||
         listener.tls.mode == config::listener_tls_mode::require;
}

tls::server_settings server_settings_of(const config::listener_tls& from) {
  tls::server_settings made;
  for (const auto& each : from.certificates) {
    made.certificates.push_back({each.cert_file, each.key_file, each.server_names});
  }
  made.client_ca_file = from.client_ca_file;
  made.min_version = version_of(from.min_version);
  switch (from.client_certificates) {
    case config::client_certificate::none:
      made.client_certificate = tls::client_certificates::none;
      break;
    case config::client_certificate::request:
      made.client_certificate = tls::client_certificates::request;
      break;
    case config::client_certificate::require:
      made.client_certificate = tls::client_certificates::require;
      break;
  }
  return made;
}

tls::client_settings client_settings_of(const config::upstream_tls& from) {
  tls::client_settings made;
  made.ca_file = from.ca_file;
  made.cert_file = from.cert_file;
  made.key_file = from.key_file;
  made.verify = from.mode == config::upstream_tls_mode::verify_full ? tls::verification::verify_full
                : from.mode == config::upstream_tls_mode::verify_ca ? tls::verification::verify_ca
                                                                    : tls::verification::none;
  return made;
}

result<std::shared_ptr<const auth::user_file>> read_users(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) return fail({.message = path + ": cannot be read"});
  auto users = auth::user_file::parse(text.view(), path);
  if (!users) return fail(users.error());
  return std::make_shared<const auth::user_file>(std::move(*users));
}

result<std::shared_ptr<const identity::token_checker>> checker_of(const config::route_auth& auth,
                                                                  identity::desk* tokens) {
  if (tokens != nullptr) return tokens->checker_of(auth);
  if (auto sound = identity::check_key_files(auth); !sound) return fail(sound.error());
  return nullptr;
}

/// Of the API; the tokens are as those of a route.
result<std::shared_ptr<const identity::token_checker>> admin_checker(const config::settings& settings,
                                                                     identity::desk* tokens) {
  if (!settings.admin.jwt) return nullptr;
  config::route_auth like_a_route;
  like_a_route.method = config::auth_method::jwt;
  like_a_route.jwt = settings.admin.jwt;
  return checker_of(like_a_route, tokens);
}

/// Keys in the place of a password that are none would only be refused by the server.
result<> check_keys(const config::server_user& who) {
  if (!auth::looks_like_client_keys(who.password.reveal())) return {};
  auto keys = auth::parse_client_keys(who.password.reveal());
  if (keys) return {};
  keys.error().message = "credentials of user \"" + who.user + "\": " + keys.error().message;
  return fail(std::move(keys.error()));
}

result<> check_credentials(const config::credentials& login) {
  if (auto sound = check_keys(login.usual); !sound) return sound;
  for (const auto& each : login.principals)
    if (auto sound = check_keys(each.as); !sound) return sound;
  return login.ephemeral ? check_keys(login.ephemeral->as) : result<>();
}

error at(const std::string& key, error why) {
  why.message = key + ": " + why.message;
  return why;
}

/// Who may log in, by each route.
result<> read_routes(const config::settings& settings, identity::desk* tokens, deployment& made) {
  for (const auto& each : settings.routes) {
    auto checker = checker_of(each.auth, tokens);
    if (!checker) return fail(at("route \"" + each.name + "\"", checker.error()));
    made.route_tokens.push_back(std::move(*checker));
    if (each.login) {
      if (auto sound = check_credentials(*each.login); !sound)
        return fail(at("route \"" + each.name + "\"", std::move(sound.error())));
    }
    made.route_users.emplace_back();
    if (each.auth.verifier_file.empty()) continue;
    auto users = read_users(each.auth.verifier_file);
    if (!users) return fail(at("route \"" + each.name + "\"", users.error()));
    made.route_users.back() = std::move(*users);
  }
  return {};
}

}  // namespace

result<std::shared_ptr<const deployment>> build_deployment(config::snapshot settings,
                                                           std::shared_ptr<const tls::ticket_keys> tickets,
                                                           const cluster_source& clusters,
                                                           identity::desk* tokens, const deployment* older,
                                                           const authority_source& authorities) {
  auto made = std::make_shared<deployment>();
  const auto now = std::chrono::system_clock::now();
  const auto note = [&made](const std::vector<std::string>& warnings) {
    made->warnings.insert(made->warnings.end(), warnings.begin(), warnings.end());
  };
  for (const auto& each : settings->listeners) {
    made->listener_tls.emplace_back();
    if (!ends_tls(each)) continue;
    auto context = tls::server_context::build(server_settings_of(each.tls), tickets, now);
    if (!context) return fail(at("listener \"" + each.name + "\"", context.error()));
    note((*context)->warnings());
    made->listener_tls.back() = std::move(*context);
  }
  for (const auto& each : settings->upstreams) {
    made->clusters.push_back(clusters ? clusters(each.name) : nullptr);
    made->upstream_tls.emplace_back();
    if (each.tls.mode == config::upstream_tls_mode::disable) continue;
    tls::client_settings wanted = client_settings_of(each.tls);
    if (const auto& in = each.found.in_kubernetes; !in.ca_secret.empty()) {
      wanted.ca_text = authorities ? authorities(each) : "";
      wanted.ca_name = "Secret " + in.name_space + "/" + in.ca_secret;
    }
    auto context = tls::client_context::build(wanted, now);
    if (!context) return fail(at("upstream \"" + each.name + "\"", context.error()));
    note((*context)->warnings());
    made->upstream_tls.back() = std::move(*context);
  }
  if (const auto& replicas = settings->replicas; replicas.has_peers()) {
    made->peer_leg.name = "replicas";
    made->peer_leg.tls = replicas.tls;
    if (replicas.tls.mode != config::upstream_tls_mode::disable) {
      auto context = tls::client_context::build(client_settings_of(replicas.tls), now);
      if (!context) return fail(at("replicas", context.error()));
      note((*context)->warnings());
      made->peer_tls = std::move(*context);
    }
  }
  if (const std::string& trusted = settings->tracing.ca_file; !trusted.empty()) {
    // The exporter has a TLS client of its own; this says early whether it can use the file.
    auto context =
        tls::client_context::build({.verify = tls::verification::verify_full, .ca_file = trusted}, now);
    if (!context) return fail(at("tracing", context.error()));
  }
  if (auto sound = read_routes(*settings, tokens, *made); !sound) return fail(sound.error());
  auto admins = admin_checker(*settings, tokens);
  if (!admins) return fail(at("admin.jwt", admins.error()));
  made->admin_tokens = std::move(*admins);
  auto policies = access::policy_set::build(*settings);
  if (!policies) return fail(policies.error());
  made->policies = std::move(*policies);
  if (const auto& console = settings->admin.console; console.is_open()) {
    auto users = read_users(console.verifier_file);
    if (!users) return fail(at("admin.console", users.error()));
    made->console_users = std::move(*users);
  }
  if (older != nullptr) {
    made->secrets =
        replaced_secrets(*older->settings, older->secrets, *settings, std::chrono::steady_clock::now());
  }
  const auto& keepalive = settings->keepalive;
  made->socket_options = {keepalive.idle, keepalive.interval, keepalive.probes, keepalive.user_timeout};
  made->settings = std::move(settings);
  return made;
}

}  // namespace trunkline::session
