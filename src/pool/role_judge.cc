#include "pool/role_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/limits.h"

namespace trunkline::pool {

using routing::endpoint;
using routing::endpoint_state;
using routing::server_role;

namespace {

void take_answer(endpoint& one, const endpoint_report& report) {
  one.state = report.state;
  one.said = report.said;
  if (!report.answer) return;
  const health_answer& answer = *report.answer;
  one.role = answer.in_recovery ? server_role::replica : server_role::primary;
  one.system_identifier = answer.system_identifier;
  one.timeline = answer.timeline;
  one.position = answer.position;
  one.version = answer.version;
  one.asked = report.asked;
}

/// As the operator must see it; DNS or a load balancer may lead to one server by two names.
bool is_same_server(const endpoint_report& a, const endpoint_report& b) {
  return a.answer && b.answer && a.answer->postmaster_start_us != 0 &&
         a.answer->postmaster_start_us == b.answer->postmaster_start_us &&
         a.answer->system_identifier == b.answer->system_identifier;
}

}  // namespace

void role_judge::forget() {
  *this = {};
}

std::string role_judge::judge(std::span<endpoint> endpoints, std::span<const endpoint_report> reports) {
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    take_answer(endpoints[i], reports[i]);
  judge_identity(endpoints);
  std::string problem = judge_primaries(endpoints, reports);
  const endpoint* primary = nullptr;
  for (const endpoint& each : endpoints) {
    if (each.role == server_role::primary && each.state == endpoint_state::up) primary = &each;
  }
  if (primary != nullptr) remember(*primary);
  for (std::size_t i = 0; i < endpoints.size(); ++i)
    judge_lag(endpoints[i], reports[i], primary);
  return problem;
}

/// The cluster is what most of its endpoints are; once known it stays, as long as one of them is it.
void role_judge::judge_identity(std::span<endpoint> endpoints) {
  std::map<std::uint64_t, int> votes;
  for (const endpoint& each : endpoints) {
    if (each.system_identifier != 0 && !each.leaving) ++votes[each.system_identifier];
  }
  if (votes.empty()) return;
  // As long as some have not been asked the first to answer are no majority yet.
  const bool all_asked = std::none_of(endpoints.begin(), endpoints.end(), [](const endpoint& each) {
    return !each.leaving && each.state == endpoint_state::unknown;
  });
  if (!identity_settled_ || !votes.contains(system_identifier_)) {
    const auto most = std::max_element(votes.begin(), votes.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    const int best = most->second;
    // The first in the list among equals.
    const auto first = std::find_if(endpoints.begin(), endpoints.end(), [&](const endpoint& each) {
      return each.system_identifier != 0 && !each.leaving && votes[each.system_identifier] == best;
    });
    const auto identifier = first->system_identifier;
    if (identifier != system_identifier_) forget();
    system_identifier_ = identifier;
    identity_settled_ = all_asked;
  }
  for (endpoint& each : endpoints) {
    if (each.system_identifier == 0 || each.system_identifier == system_identifier_) continue;
    each.said = fmt::format("its system identifier is {}, not {} as its siblings'", each.system_identifier,
                            system_identifier_);
    if (each.state == endpoint_state::up) each.state = endpoint_state::foreign;
  }
}

/// Of several the one on the highest timeline, and none that is behind what was seen before.
std::string role_judge::judge_primaries(std::span<endpoint> endpoints,
                                        std::span<const endpoint_report> reports) {
  const auto claims = [](const endpoint& each) {
    return each.role == server_role::primary && each.state != endpoint_state::foreign;
  };
  for (const endpoint& each : endpoints) {
    if (claims(each) && each.state == endpoint_state::up) timeline_ = std::max(timeline_, each.timeline);
  }
  std::vector<std::size_t> left;
  std::string behind;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    endpoint& each = endpoints[i];
    if (!claims(each)) continue;
    if (each.timeline == 0 || each.timeline >= timeline_) {
      if (each.state == endpoint_state::up) left.push_back(i);
      continue;
    }
    each.role = server_role::superseded;
    if (each.state != endpoint_state::up) continue;
    each.said =
        fmt::format("a primary on timeline {}, but timeline {} has been seen", each.timeline, timeline_);
    behind += (behind.empty() ? "" : ", ") + each.name;
  }
  std::string problem;
  if (!behind.empty()) problem = behind + " is a primary that was left behind by a promotion";
  // On one timeline: the one that was the primary already, unless they are names of one server.
  const auto current = std::find_if(left.begin(), left.end(),
                                    [&](std::size_t index) { return endpoints[index].id == primary_; });
  if (left.empty()) return problem;
  const std::size_t chosen = current != left.end() ? *current : left.front();
  primary_ = endpoints[chosen].id;
  for (const std::size_t index : left) {
    if (index == chosen || is_same_server(reports[index], reports[chosen])) continue;
    endpoints[index].role = server_role::superseded;
    endpoints[index].said = "a second primary on the same timeline as " + endpoints[chosen].name;
    problem += (problem.empty() ? "" : "; ") + endpoints[index].name + " and " + endpoints[chosen].name +
               " are both primaries on timeline " + std::to_string(endpoints[index].timeline);
  }
  return problem;
}

void role_judge::remember(const endpoint& primary) {
  if (primary.position == 0) return;
  if (!positions_.empty() && primary.position < positions_.back().bytes) positions_.clear();
  if (!positions_.empty()) {
    position& last = positions_.back();
    if (primary.asked <= last.when) return;
    if (primary.position == last.bytes) {
      last.when = primary.asked;  // still there
      return;
    }
    if (primary.asked - last.when < limits::wal_position_spacing) return;
  }
  positions_.push_back({primary.asked, primary.position});
  if (positions_.size() > limits::wal_positions) positions_.pop_front();
}

void role_judge::judge_lag(endpoint& replica, const endpoint_report& report, const endpoint* primary) const {
  if (replica.role != server_role::replica || !report.answer) return;
  if (replica.position == 0) {
    if (replica.state == endpoint_state::up) replica.said = "how far it has replayed cannot be read";
    return;
  }
  if (primary == nullptr || positions_.empty()) {
    // Nobody to compare with: by its own clock, as of what it was sent.
    using std::chrono::milliseconds;
    replica.lag =
        report.answer->all_received_is_replayed ? milliseconds(0) : report.answer->behind_by_own_clock;
    if (replica.lag) replica.fresh_as_of = replica.asked - *replica.lag;
    return;
  }
  const auto after =
      std::upper_bound(positions_.begin(), positions_.end(), replica.position,
                       [](std::uint64_t bytes, const position& one) { return bytes < one.bytes; });
  replica.lag_bytes = primary->position > replica.position ? primary->position - replica.position : 0;
  if (after == positions_.begin()) {
    // Older than all that is remembered.
    replica.lag = std::max(
        report.answer->behind_by_own_clock.value_or(std::chrono::milliseconds(0)),
        std::chrono::duration_cast<std::chrono::milliseconds>(replica.asked - positions_.front().when));
    replica.fresh_as_of = replica.asked - *replica.lag;
    return;
  }
  const position& reached = *std::prev(after);
  replica.fresh_as_of = reached.when;
  const auto behind = after == positions_.end() ? routing::moment::duration(0) : replica.asked - reached.when;
  replica.lag =
      std::max(std::chrono::duration_cast<std::chrono::milliseconds>(behind), std::chrono::milliseconds(0));
}

}  // namespace trunkline::pool
