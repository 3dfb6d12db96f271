#include "pool/cluster.h"

#include <algorithm>
#include <utility>

namespace trunkline::pool {

cluster::cluster(std::string upstream) : name_(std::move(upstream)) {
  auto nothing_yet = std::make_shared<cluster_view>();
  nothing_yet->known.discovering = true;
  now_ = std::move(nothing_yet);
}

std::shared_ptr<const cluster_view> cluster::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

std::optional<cluster::choice> cluster::choose(const routing::wish& wanted,
                                               std::span<const routing::endpoint_id> tried) {
  // Chosen and counted in one: of a thousand who come at once none sees the same emptiest server.
  std::lock_guard lock(mutex_);
  loads_.assign(now_->members.size(), {});
  for (std::size_t i = 0; i < loads_.size(); ++i) {
    const member& one = *now_->members[i];
    loads_[i] = {.sessions = one.sessions.load(std::memory_order_relaxed),
                 .tried = std::find(tried.begin(), tried.end(), one.id) != tried.end(),
                 .ejected_until = one.ejected_until()};
  }
  const auto index = routing::choose(now_->known, loads_, wanted);
  if (!index) return std::nullopt;
  return choice{.seen = now_, .index = *index, .lease = pool::lease(now_->members[*index])};
}

void cluster::publish(std::shared_ptr<const cluster_view> view, bool changed) {
  std::lock_guard lock(mutex_);
  now_ = std::move(view);
  if (!changed) return;
  for (const auto& each : subscribers_)
    each.wake();
}

cluster::subscription::subscription(cluster& of, runtime::loop& where, runtime::signal& changed)
    : of_(of), here_(where, changed) {
  std::lock_guard lock(of_.mutex_);
  at_ = of_.subscribers_.insert(of_.subscribers_.end(), here_.handle());
}

cluster::subscription::~subscription() {
  std::lock_guard lock(of_.mutex_);
  of_.subscribers_.erase(at_);
}

cluster::held::held(cluster& of, routing::moment now) : of_(of), since_(now), until_(now) {
  of_.held_now_.fetch_add(1, std::memory_order_relaxed);
  std::lock_guard lock(of_.listener_mutex_);
  if (of_.listener_ != nullptr) of_.listener_->wanted();
}

cluster::held::~held() {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(until_ - since_).count();
  of_.held_now_.fetch_sub(1, std::memory_order_relaxed);
  of_.holds_.fetch_add(1, std::memory_order_relaxed);
  of_.held_us_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)),
                         std::memory_order_relaxed);
}

void cluster::suspect(routing::endpoint_id which) {
  std::lock_guard lock(listener_mutex_);
  if (listener_ != nullptr) listener_->suspected(which);
}

void cluster::tell_role(routing::endpoint_id which, bool in_recovery) {
  const auto seen = now();
  const auto its = in_recovery ? routing::server_role::replica : routing::server_role::primary;
  for (const auto& each : seen->known.endpoints) {
    // Nothing new: no need to wake anybody. A primary that was left behind says that it is one, too.
    const bool known = each.role == its || (!in_recovery && each.role == routing::server_role::superseded);
    if (each.id == which && known) return;
  }
  std::lock_guard lock(listener_mutex_);
  if (listener_ != nullptr) listener_->role_seen(which, in_recovery);
}

void cluster::set_feed(std::shared_ptr<const endpoint_feed> from) {
  std::lock_guard lock(mutex_);
  feed_ = std::move(from);
}

std::shared_ptr<const endpoint_feed> cluster::feed() const {
  std::lock_guard lock(mutex_);
  return feed_;
}

void cluster::set_listener(cluster_listener* who) {
  std::lock_guard lock(listener_mutex_);
  listener_ = who;
}

}  // namespace trunkline::pool
