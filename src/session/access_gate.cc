#include "session/access_gate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "session/rbac_gate.h"

namespace trunkline::session {

namespace {

using access::outcome;

login_end access_denied(const login_context& context, std::string reason) {
  return {.cause = {telemetry::cause::policy_denied},
          .detail = std::move(reason),
          .tell = error{.code = sqlstates::invalid_authorization,
                        .message = "access to database \"" + context.facts->database.str() +
                                   "\" is denied for user \"" + context.facts->user.str() + "\"",
                        .hint = "Ask whoever runs the gateway: its log and its audit say why."}};
}

login_end no_desk(const login_context& context) {
  auto why = access_denied(context, context.decided->reason() + ", and no store is configured");
  why.tell->message = "access to database \"" + context.facts->database.str() +
                      "\" needs an approval, and no store is configured";
  why.tell->hint = "The gateway's access.store keeps requests and grants.";
  return why;
}

/// "10.0.0.7:51234" or "[::1]:51234"; nothing for a unix socket.
std::optional<config::ip_address> address_of(std::string_view client) {
  const auto colon = client.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = client.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return config::ip_address::parse(host);
}

access::question question_of(const session_facts& facts, const config::route& route, std::size_t index) {
  access::question made;
  made.who = facts.access->who.get();
  made.user = facts.user.str();
  made.database = facts.database.str();
  made.route = &route;
  made.route_index = index;
  made.source = address_of(facts.client);
  made.replication = facts.replication;
  made.when = std::chrono::system_clock::now();
  return made;
}

/// When the policy alone would end the session.
runtime::time_point end_of(const access::policy& by, const session_facts& facts, runtime::time_point now) {
  auto end = runtime::time_point::max();
  // Of a policy with an approval it is the grant that has a length.
  if (by.says.max_length.count() > 0 && !by.says.approval) end = facts.started + by.says.max_length;
  const auto wall = std::chrono::system_clock::now();
  if (const auto closes = by.closes_after(wall))
    end = std::min(end, now + std::chrono::duration_cast<runtime::duration>(*closes - wall));
  return end;
}

/// When what the client has proved who it is with expires, where the route ends sessions then.
runtime::time_point end_of_proof(const session_facts& facts, runtime::time_point now) {
  if (!facts.route->auth.disconnect_expired || facts.access->who == nullptr || !facts.access->who->until)
    return runtime::time_point::max();
  const auto left = *facts.access->who->until - std::chrono::system_clock::now();
  return now + std::chrono::duration_cast<runtime::duration>(left);
}

void set_end(session_facts& facts, runtime::time_point end) {
  if (facts.access->until != end) facts.access.edit().until = end;
}

}  // namespace

step<> decide_access(login_context& context) {
  session_facts& facts = *context.facts;
  if (!context.decided) set_end(facts, end_of_proof(facts, context.loop->now()));
  const auto* policies = context.facts->setup->policies.get();
  if (policies == nullptr || context.opaque || context.decided) return {};
  if (!policies->governs(*facts.route)) return {};
  const auto index = static_cast<std::size_t>(facts.route - context.settings().routes.data());
  context.decided = policies->decide(question_of(facts, *facts.route, index));
  if (context.decided->what == outcome::deny)
    return std::unexpected(access_denied(context, context.decided->reason()));
  const access::policy* const by = context.decided->by;
  facts.access.edit().policy = by;
  set_end(facts, std::min(facts.access->until, end_of(*by, facts, context.loop->now())));
  return {};
}

void note_grant(login_context& context, runtime::time_point end) {
  set_end(*context.facts, std::min(context.facts->access->until, end));
}

runtime::task<step<>> admit(login_context* context) {
  if (auto decided = decide_access(*context); !decided) co_return decided;
  if (auto may = co_await ask_rbac(context); !may) co_return may;
  if (context->decided && context->decided->what == outcome::wait) {
    if (context->shared->grants == nullptr) co_return std::unexpected(no_desk(*context));
    if (auto granted = co_await context->shared->grants->ask(context); !granted) co_return granted;
    if (auto still = co_await ask_rbac(context); !still) co_return still;  // that may have taken long
  }
  session_facts& facts = *context->facts;
  if (facts.access->rbac != nullptr) facts.access.edit().policy = within_rbac(facts, facts.access->policy);
  co_return step<>();
}

std::optional<access::decision> decide_again(const session_facts& facts, const deployment& setup) {
  if (setup.policies == nullptr) return std::nullopt;
  const auto& routes = setup.settings->routes;
  const auto same = std::find_if(routes.begin(), routes.end(),
                                 [&](const config::route& each) { return each.name == facts.route->name; });
  if (same == routes.end() || !setup.policies->governs(*same)) return std::nullopt;
  return setup.policies->decide(question_of(facts, *same, static_cast<std::size_t>(same - routes.begin())));
}

}  // namespace trunkline::session
