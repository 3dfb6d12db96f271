#include "pool/loop_guard.h"

#include <utility>

namespace trunkline::pool {

loop_guard::watched::~watched() {
  if (guard_ == nullptr) return;
  std::lock_guard lock(guard_->mutex_);
  guard_->legs_.erase(at_);
  --guard_->watching_;
}

bool loop_guard::watched::looped() const {
  if (guard_ == nullptr) return false;
  std::lock_guard lock(guard_->mutex_);
  return at_->looped;
}

namespace {

std::string both(const net::socket_address& from, const net::socket_address& to) {
  return from.text() + " " + to.text();
}

}  // namespace

loop_guard::watched loop_guard::watch(const net::socket_address& from, const net::socket_address& to) {
  if (from.is_unix() || from.port() == 0) return {};
  std::lock_guard lock(mutex_);
  ++watching_;
  return {this, legs_.insert(legs_.end(), {.ends = both(from, to)})};
}

bool loop_guard::is_own(const net::socket_address& peer, const net::socket_address& here) {
  if (peer.is_unix()) return false;
  const std::string ends = both(peer, here);
  std::lock_guard lock(mutex_);
  for (leg& each : legs_) {
    if (each.ends != ends) continue;
    each.looped = true;
    return true;
  }
  return false;
}

}  // namespace trunkline::pool
