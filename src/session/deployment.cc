#include "session/deployment.h"

#include <chrono>
#include <set>
#include <utility>

#include "session/deployment_builder.h"

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

error at(const std::string& key, error why) {
  why.message = key + ": " + why.message;
  return why;
}

/// One building; over when it has been.
class builder {
 public:
  builder(config::snapshot settings, const deployment_means& means)
      : settings_(std::move(settings)),
        means_(means),
        parts_(means.parts == nullptr ? own_parts_ : *means.parts) {}

  result<std::shared_ptr<const deployment>> run() {
    for (const auto step : {&builder::end_tls, &builder::reach_upstreams, &builder::reach_replicas,
                            &builder::trace, &builder::let_in, &builder::administrate}) {
      if (auto done = (this->*step)(); !done) return fail(done.error());
    }
    if (const deployment* older = means_.older)
      made_->secrets =
          replaced_secrets(*older->settings, older->secrets, *settings_, std::chrono::steady_clock::now());
    const auto& keepalive = settings_->keepalive;
    made_->socket_options = {keepalive.idle, keepalive.interval, keepalive.probes, keepalive.user_timeout};
    made_->settings = std::move(settings_);
    return made_;
  }

 private:
  void note(const std::vector<std::string>& warnings) {
    made_->warnings.insert(made_->warnings.end(), warnings.begin(), warnings.end());
  }

  result<std::shared_ptr<const tls::client_context>> context_of(const tls::client_settings& wanted) {
    auto context = parts_.context_of(wanted);
    if (context && noted_.insert(context->get()).second) note((*context)->warnings());
    return context;
  }

  result<> end_tls() {
    for (const auto& each : settings_->listeners) {
      made_->listener_tls.emplace_back();
      if (!ends_tls(each)) continue;
      auto context = tls::server_context::build(server_settings_of(each.tls), means_.tickets,
                                                std::chrono::system_clock::now());
      if (!context) return fail(at("listener \"" + each.name + "\"", context.error()));
      note((*context)->warnings());
      made_->listener_tls.back() = std::move(*context);
    }
    return {};
  }

  result<> reach_upstreams() {
    for (const auto& each : settings_->upstreams) {
      made_->clusters.push_back(means_.clusters ? means_.clusters(each.name) : nullptr);
      made_->upstream_tls.emplace_back();
      if (each.tls.mode == config::upstream_tls_mode::disable) continue;
      tls::client_settings wanted = client_settings_of(each.tls);
      if (const auto& in = each.found.in_kubernetes; !in.ca_secret.empty()) {
        wanted.ca_text = means_.authorities ? means_.authorities(each) : "";
        wanted.ca_name = "Secret " + in.name_space + "/" + in.ca_secret;
      }
      auto context = context_of(wanted);
      if (!context) return fail(at("upstream \"" + each.name + "\"", context.error()));
      made_->upstream_tls.back() = std::move(*context);
    }
    return {};
  }

  result<> reach_replicas() {
    const auto& replicas = settings_->replicas;
    if (!replicas.has_peers()) return {};
    made_->peer_leg.name = "replicas";
    made_->peer_leg.tls = replicas.tls;
    if (replicas.tls.mode == config::upstream_tls_mode::disable) return {};
    auto context = context_of(client_settings_of(replicas.tls));
    if (!context) return fail(at("replicas", context.error()));
    made_->peer_tls = std::move(*context);
    return {};
  }

  /// The exporter has a TLS client of its own; this says early whether it can use the file.
  result<> trace() {
    const std::string& trusted = settings_->tracing.ca_file;
    if (trusted.empty()) return {};
    auto context = parts_.context_of({.verify = tls::verification::verify_full, .ca_file = trusted});
    return context ? result<>() : fail(at("tracing", context.error()));
  }

  /// Who may log in, by each route.
  result<> let_in() {
    for (const auto& each : settings_->routes) {
      auto checker = checker_of(each.auth, means_.tokens);
      if (!checker) return fail(at("route \"" + each.name + "\"", checker.error()));
      made_->route_tokens.push_back(std::move(*checker));
      if (each.login) {
        if (auto sound = check_credentials(*each.login); !sound)
          return fail(at("route \"" + each.name + "\"", std::move(sound.error())));
      }
      made_->route_users.emplace_back();
      if (each.auth.verifier_file.empty()) continue;
      auto users = parts_.users_of(each.auth.verifier_file);
      if (!users) return fail(at("route \"" + each.name + "\"", users.error()));
      made_->route_users.back() = std::move(*users);
    }
    auto policies = access::policy_set::build(*settings_);
    if (!policies) return fail(policies.error());
    made_->policies = std::move(*policies);
    return {};
  }

  result<> administrate() {
    auto admins = admin_checker(*settings_, means_.tokens);
    if (!admins) return fail(at("admin.jwt", admins.error()));
    made_->admin_tokens = std::move(*admins);
    const auto& console = settings_->admin.console;
    if (!console.is_open()) return {};
    auto users = parts_.users_of(console.verifier_file);
    if (!users) return fail(at("admin.console", users.error()));
    made_->console_users = std::move(*users);
    return {};
  }

  config::snapshot settings_;
  const deployment_means& means_;
  file_parts own_parts_;
  file_parts& parts_;
  std::shared_ptr<deployment> made_ = std::make_shared<deployment>();
  std::set<const tls::client_context*> noted_;
};

}  // namespace

result<std::shared_ptr<const deployment>> build_deployment(config::snapshot settings,
                                                           const deployment_means& means) {
  return builder(std::move(settings), means).run();
}

result<std::shared_ptr<const deployment>> build_deployment(config::snapshot settings,
                                                           std::shared_ptr<const tls::ticket_keys> tickets,
                                                           const cluster_source& clusters,
                                                           identity::desk* tokens, const deployment* older,
                                                           const authority_source& authorities) {
  return build_deployment(std::move(settings), {.tickets = std::move(tickets),
                                                .clusters = clusters,
                                                .tokens = tokens,
                                                .older = older,
                                                .authorities = authorities});
}

}  // namespace trunkline::session
