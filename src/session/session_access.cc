// What an access policy means for a session that runs: what it is held to, when that ends, and what a reload
// takes away.
#include <utility>

#include "session/access_gate.h"
#include "session/session.h"

namespace trunkline::session {

std::unique_ptr<runtime::byte_stream> session::guarded(std::unique_ptr<runtime::byte_stream> server,
                                                       guard_memory memory) {
  // One that only ends at some time has a guard too: it is told so before.
  const bool ends = facts_.access_until != runtime::time_point::max();
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
  const auto now = decide_again(facts_, *newer);
  if (!now) return false;
  if (now->what == access::outcome::deny) return true;
  const access::policy* before = facts_.policy;
  const bool approved = before != nullptr && before->says.approval.has_value();
  if (now->what == access::outcome::wait && !approved) return true;
  return now->by->guard != (before == nullptr ? access::guard_rules{} : before->guard) ||
         (before == nullptr ? !now->by->parameters.empty() : now->by->parameters != before->parameters);
}

void session::end_access(relay_event why) {
  if (asleep_ != nullptr) wake({});
  if (relay_ != nullptr) relay_->on_event(why);
}

}  // namespace trunkline::session
