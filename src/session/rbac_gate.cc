#include "session/rbac_gate.h"

#include <algorithm>
#include <utility>

#include "identity/access_case.h"
#include "identity/authorizer.h"
#include "runtime/remote_wake.h"

namespace trunkline::session {

using config::access_level;
using identity::moment;
using identity::rbac_standing;

namespace {

moment steady_now() {
  return std::chrono::steady_clock::now();
}

const std::optional<config::rbac_object>& object_of(const config::route& route) {
  static const std::optional<config::rbac_object> none;
  return route.auth.kubernetes ? route.auth.kubernetes->authorization : none;
}

identity::authorizer* authorizer_of(const login_context& context) {
  const auto& setup = *context.facts->setup;
  const auto index = static_cast<std::size_t>(context.facts->route - context.settings().routes.data());
  const auto* tokens = setup.route_tokens[index].get();
  return tokens == nullptr ? nullptr : tokens->authorizer();
}

std::string name_of(const config::rbac_object& object) {
  return object.name_space + "/" + object.name;
}

login_end may_not(const login_context& context, std::string_view verb, const config::rbac_object& object,
                  const std::string& reason) {
  const std::string who(context.facts->principal());
  const std::string what = "may not " + std::string(verb) + " to postgresroute " + name_of(object);
  return {.cause = {telemetry::cause::policy_denied},
          .detail = "RBAC: " + who + " " + what + (reason.empty() ? "" : ": " + reason),
          .tell = error{.code = sqlstates::invalid_authorization,
                        .message = "\"" + who + "\" " + what,
                        .hint = "A RoleBinding in namespace " + object.name_space +
                                " gives it: apiGroup "
                                "trunkline.dev, resource postgresroutes, verb " +
                                std::string(verb) + "."}};
}

login_end cannot_ask(std::string reason) {
  auto why = refused({.reaction = error_reaction::retry,
                      .code = sqlstates::cannot_connect_now,
                      .message = "the gateway cannot check access at the moment",
                      .hint = "Try again later; the gateway's log says what it waits for."});
  why.detail = "RBAC cannot be asked: " + std::move(reason);
  return why;
}

login_end crowded() {
  return {.cause = {telemetry::cause::limit},
          .detail = "too many clients wait for RBAC",
          .tell = error{.code = sqlstates::too_many_connections,
                        .message = "too many logins wait to be checked"}};
}

/// Until the API server has answered, or cannot.
runtime::task<step<>> wait_for_answer(login_context* context, identity::authorizer* by,
                                      identity::access_hold* hold) {
  const runtime::remote_wake here(*context->loop, context->changed);
  const auto before = hold->at().answers();
  if (!by->ask(hold->shared(), here.handle())) co_return std::unexpected(crowded());
  while (hold->at().answers() == before) {
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  co_return step<>();
}

step<> judge(const login_context& context, const rbac_standing& seen, const config::rbac_object& object) {
  if (!seen.fresh) return std::unexpected(cannot_ask(seen.problem));
  const auto& level = seen.verdict.level;
  if (!level) return std::unexpected(may_not(context, "connect", object, seen.verdict.reason));
  // It reads everything, past all policies.
  if (context.facts->replication && *level != access_level::admin)
    return std::unexpected(may_not(context, "admin", object, "replication"));
  return {};
}

}  // namespace

runtime::task<step<>> ask_rbac(login_context* context) {
  session_facts& facts = *context->facts;
  const auto& object = object_of(*facts.route);
  if (facts.access->rbac != nullptr) facts.access.edit().rbac.reset();
  if (!object) co_return step<>();
  identity::authorizer* const by = authorizer_of(*context);
  auto hold = by->hold(*facts.access->who, *object);
  if (hold == nullptr) co_return std::unexpected(crowded());
  auto seen = hold->at().look(steady_now());
  if (!seen.fresh) {
    auto waited = co_await wait_for_answer(context, by, hold.get());
    if (!waited) co_return waited;
    seen = hold->at().look(steady_now());
  }
  auto judged = judge(*context, seen, *object);
  if (judged) facts.access.edit().rbac = std::move(hold);
  co_return judged;
}

const access::policy* within_rbac(const session_facts& facts, const access::policy* by) {
  if (facts.access->rbac == nullptr) return by;
  const auto level = facts.access->rbac->at().look(steady_now()).verdict.level;
  return access::at_most(by, level.value_or(access_level::read));
}

std::optional<error> rbac_objection(const session_facts& facts) {
  if (facts.access->rbac == nullptr) return std::nullopt;
  const auto now = facts.access->rbac->at().look(steady_now());
  const access_level has =
      facts.access->policy == nullptr ? access_level::admin : facts.access->policy->says.level;
  const std::string object = "postgresroute " + name_of(facts.access->rbac->at().route());
  error why{.code = sqlstates::admin_shutdown, .message = "terminating connection: access revoked"};
  if (!now.verdict.level || (facts.replication && *now.verdict.level != access_level::admin)) {
    why.hint = "RBAC no longer lets \"" + std::string(facts.principal()) + "\" connect to " + object + ".";
  } else if (*now.verdict.level < has) {
    why.hint = "RBAC gives \"" + std::string(facts.principal()) + "\" less of " + object +
               " than before. Connect again.";
  } else if (now.lapsed) {
    why.hint = "Kubernetes could not be asked for too long whether access to " + object + " still holds.";
  } else {
    return std::nullopt;
  }
  return why;
}

bool rbac_is_another(const session_facts& facts, const deployment& newer) {
  const auto& routes = newer.settings->routes;
  const auto same = std::find_if(routes.begin(), routes.end(),
                                 [&](const config::route& each) { return each.name == facts.route->name; });
  if (same == routes.end()) return false;
  const auto& wanted = object_of(*same);
  if (!wanted) return false;
  return facts.access->rbac == nullptr || facts.access->rbac->at().route() != *wanted ||
         facts.route->auth.kubernetes->api_server != same->auth.kubernetes->api_server;
}

}  // namespace trunkline::session
