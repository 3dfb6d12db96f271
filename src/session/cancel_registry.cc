#include "session/cancel_registry.h"

#include <algorithm>
#include <utility>

#include "auth/sha256.h"
#include "runtime/random.h"

namespace trunkline::session {

cancel_registry::ticket::ticket(ticket&& other) noexcept {
  *this = std::move(other);
}

cancel_registry::ticket& cancel_registry::ticket::operator=(ticket&& other) noexcept {
  std::swap(registry_, other.registry_);
  std::swap(pid_, other.pid_);
  return *this;
}

cancel_registry::ticket::~ticket() {
  if (registry_ != nullptr) registry_->remove(pid_);
}

void cancel_registry::identify(std::uint16_t replica, const cancel_mac_key& mac_key) {
  std::lock_guard lock(mutex_);
  replica_ = replica;
  mac_key_ = mac_key;
}

cancel_registry::issued cancel_registry::add(std::shared_ptr<const cancel_target> target, bool long_key) {
  const auto random = runtime::random_bytes<std::max(short_cancel_key_bytes, sizeof(cancel_nonce))>();

  issued made;
  std::lock_guard lock(mutex_);
  std::uint32_t index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    if (slots_.size() == cancel_slots) return made;
    index = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
  }
  const cancel_pid pid{replica_, index};
  made.ticket.registry_ = this;
  made.ticket.pid_ = pid.encode();
  if (long_key) {
    cancel_nonce nonce;
    std::copy_n(random.begin(), nonce.size(), nonce.begin());
    const long_cancel_key key = make_long_key(mac_key_, pid, target->session, nonce);
    made.key.assign(key.begin(), key.end());
  } else {
    made.key.assign(random.begin(), random.begin() + short_cancel_key_bytes);
  }
  slots_[index] = {std::move(target), made.ticket.pid_, made.key};
  return made;
}

std::shared_ptr<const cancel_target> cancel_registry::find(std::uint32_t pid, byte_span key) const {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  std::lock_guard lock(mutex_);
  if (index >= slots_.size() || slots_[index].target == nullptr) return nullptr;
  const slot& found = slots_[index];
  // The whole key, of whatever kind: what was signed with an older secret is as good as ever here.
  const bool fits = found.pid == pid && auth::equal_in_constant_time(found.key, key);
  return fits ? found.target : nullptr;
}

std::shared_ptr<const cancel_target> cancel_registry::target_of(std::uint32_t pid) const {
  std::lock_guard lock(mutex_);
  return slots_[cancel_pid::decode(pid).slot].target;
}

void cancel_registry::remove(std::uint32_t pid) {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  std::shared_ptr<const cancel_target> dead;  // its last owner may free a whole deployment: outside the lock
  std::lock_guard lock(mutex_);
  dead = std::move(slots_[index].target);
  free_.push_back(index);
}

}  // namespace trunkline::session
