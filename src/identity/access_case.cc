#include "identity/access_case.h"

#include <algorithm>
#include <utility>

#include "base/limits_kubernetes.h"

namespace trunkline::identity {

bool access_case::is_fresh(moment now) const {
  if (!confirmed_) return false;
  const auto believed = verdict_.level ? limits::rbac_allowed_believed : limits::rbac_denied_believed;
  return now - *confirmed_ < std::min(believed, route_.grace);
}

bool access_case::has_lapsed(moment now) const {
  return confirmed_ && now - *confirmed_ >= route_.grace;
}

rbac_standing access_case::look(moment now) const {
  std::lock_guard lock(mutex_);
  return {.verdict = verdict_, .fresh = is_fresh(now), .lapsed = has_lapsed(now), .problem = problem_};
}

std::uint64_t access_case::answers() const {
  std::lock_guard lock(mutex_);
  return answers_;
}

bool access_case::want(moment now, runtime::remote_wake::caller told) {
  std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(told));
  const bool first = !wanted_;
  if (first) wanted_ = now;
  queued_ = true;
  return first && !under_way_;
}

bool access_case::want_again(moment now) {
  std::lock_guard lock(mutex_);
  if (held_by_.empty() || queued_ || under_way_) return false;
  const auto every = std::min(limits::rbac_asked_again, route_.grace / 3);
  if (asked_ && now - *asked_ < every) return false;
  queued_ = true;
  return true;
}

bool access_case::begin(moment now, std::optional<moment>& waited) {
  std::lock_guard lock(mutex_);
  if (!queued_ || under_way_) return false;
  queued_ = false;
  under_way_ = true;
  asked_ = now;
  waited = wanted_;
  return true;
}

void access_case::wake_waiting() {
  ++answers_;
  under_way_ = false;
  queued_ = false;
  wanted_.reset();
  for (const auto& each : std::exchange(waiting_, {}))
    each.wake();
}

void access_case::answer(rbac_verdict what, moment now) {
  std::lock_guard lock(mutex_);
  const bool changed = what.level != verdict_.level;
  verdict_ = std::move(what);
  confirmed_ = now;
  problem_.clear();
  lapse_told_ = false;
  if (changed) ring();
  wake_waiting();
}

void access_case::fail(std::string problem) {
  std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
  wake_waiting();
}

void access_case::note_silence(moment now) {
  std::lock_guard lock(mutex_);
  if (has_lapsed(now) && !std::exchange(lapse_told_, true)) ring();
}

bool access_case::is_over(moment now) const {
  std::lock_guard lock(mutex_);
  return held_by_.empty() && !under_way_ && !queued_ && !is_fresh(now);
}

void access_case::ring() {
  for (const auto& each : held_by_) {
    if (!each->listens) continue;
    each->where->post([bell = each] {
      if (bell->call != nullptr) bell->call(bell->context);
    });
  }
}

access_hold::access_hold(std::shared_ptr<access_case> of)
    : of_(std::move(of)), bell_(std::make_shared<access_case::bell>()) {
  std::lock_guard lock(of_->mutex_);
  place_ = of_->held_by_.insert(of_->held_by_.end(), bell_);
}

access_hold::~access_hold() {
  bell_->call = nullptr;
  std::lock_guard lock(of_->mutex_);
  of_->held_by_.erase(place_);
}

void access_hold::listen(runtime::loop& where, callback call, void* context) {
  bell_->call = call;
  bell_->context = context;
  std::lock_guard lock(of_->mutex_);
  bell_->where = &where;
  bell_->listens = true;
}

}  // namespace trunkline::identity
