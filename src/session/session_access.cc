// What an access policy means for a session that runs: what it is held to, when that ends, and what a reload
// takes away.
#include <utility>

#include "session/access_gate.h"
#include "session/rbac_gate.h"
#include "session/session.h"

namespace trunkline::session {

std::unique_ptr<runtime::byte_stream> session::guarded(std::unique_ptr<runtime::byte_stream> server,
                                                       guard_memory memory) {
  // One that only ends at some time has a guard too: it is told so before.
  const bool ends = facts_.access->until != runtime::time_point::max();
  static const access::policy none;
  if (memory.by == nullptr && ends) memory.by = &none;
  if (memory.by == nullptr || facts_.opaque || (!memory.by->guard.any() && !ends)) return server;
  guard_owner& self = *this;
  auto made = std::make_unique<statement_guard>(host_.where(), self, std::move(server), memory);
  guard_ = made.get();
  return made;
}

void session::statement_refused(statement_refusal why) {
  metrics().denied_statements[static_cast<std::size_t>(why)].add();
}

void session::given_enough(error why) {
  if (relay_ != nullptr) relay_->fail(telemetry::cause::limit, std::move(why));
}

/// Where the new policies would not let it in, or hold it to something else. One that an approval has let in
/// needs no other.
bool session::loses_access(const std::shared_ptr<const deployment>& newer) const {
  const bool runs = relay_ != nullptr || asleep_ != nullptr;
  if (!runs || facts_.opaque || newer == facts_.setup) return false;
  if (rbac_is_another(facts_, *newer)) return true;
  const auto now = decide_again(facts_, *newer);
  if (!now) return false;
  if (now->what == access::outcome::deny) return true;
  const access::policy* before = facts_.access->policy;
  const bool approved = before != nullptr && before->says.approval.has_value();
  if (now->what == access::outcome::wait && !approved) return true;
  static const access::policy none;
  const auto* const then = before == nullptr ? &none : before;
  const auto* const by = within_rbac(facts_, now->by);
  return by->guard != then->guard || by->parameters != then->parameters;
}

bool session::waits_for_approval() const {
  return login_ != nullptr && login_->context().patient_until == runtime::time_point::max();
}

/// It waits for an approval of something that the new policies deny.
bool session::waits_in_vain(const std::shared_ptr<const deployment>& newer) const {
  if (!waits_for_approval()) return false;
  const auto now = decide_again(facts_, *newer);
  return now && now->what == access::outcome::deny;
}

void session::end_wait() {
  login_->cancel();
  end_login({.cause = {telemetry::cause::policy_denied},
             .detail = "the policy that wanted an approval has changed",
             .tell = error{.code = sqlstates::invalid_authorization,
                           .message = "access to database \"" + facts_.database.str() +
                                      "\" is denied since the gateway's policies have changed"}});
}

void session::watch_grant() {
  if (facts_.access->grant == nullptr) return;
  facts_.access->grant->listen(
      host_.where(), [](void* self) { static_cast<session*>(self)->look_at_grant(); }, this);
  look_at_grant();
}

/// Its end by the clock is the session's own business (next_limit): this is for what somebody has done.
void session::look_at_grant() {
  const auto now = facts_.access->grant->at().now();
  if (!now.of || now.of->now == grants::state::active) return;
  const bool expired = now.of->now == grants::state::expired;
  end_access(expired ? relay_event::access_expired : relay_event::access_revoked);
}

void session::watch_rbac() {
  if (facts_.access->rbac == nullptr) return;
  facts_.access->rbac->listen(
      host_.where(), [](void* self) { static_cast<session*>(self)->look_at_rbac(); }, this);
  look_at_rbac();
}

void session::look_at_rbac() {
  auto objection = rbac_objection(facts_);
  if (!objection) return;
  if (asleep_ != nullptr) wake({});
  if (relay_ != nullptr) relay_->fail(telemetry::cause::access_revoked, std::move(*objection));
}

void session::end_access(relay_event why) {
  if (asleep_ != nullptr) wake({});
  if (relay_ != nullptr) relay_->on_event(why);
}

}  // namespace trunkline::session
