#include "session/cancel_registry.h"

#include <algorithm>
#include <utility>

#include "auth/sha256.h"
#include "runtime/random.h"
#include "session/pooled_door.h"

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

std::uint64_t cancel_owner::session() const {
  return door != nullptr ? door->session() : target->session;
}

cancel_registry::issued cancel_registry::add(cancel_owner owner, bool long_key) {
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
    const long_cancel_key key = make_long_key(mac_key_, pid, owner.session(), nonce);
    made.key.assign(key.begin(), key.end());
  } else {
    made.key.assign(random.begin(), random.begin() + short_cancel_key_bytes);
  }
  slot& taken = slots_[index];
  taken.owner = std::move(owner);
  taken.pid = made.ticket.pid_;
  taken.key_size = static_cast<std::uint8_t>(made.key.size());
  std::copy(made.key.begin(), made.key.end(), taken.key.begin());
  return made;
}

cancel_owner cancel_registry::find(std::uint32_t pid, byte_span key) const {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  std::lock_guard lock(mutex_);
  if (index >= slots_.size() || !slots_[index].owner) return {};
  const slot& found = slots_[index];
  // The whole key, of whatever kind: what was signed with an older secret is as good as ever here.
  const bool fits =
      found.pid == pid && auth::equal_in_constant_time(byte_span(found.key).first(found.key_size), key);
  return fits ? found.owner : cancel_owner();
}

cancel_owner cancel_registry::owner_of(std::uint32_t pid) const {
  std::lock_guard lock(mutex_);
  return slots_[cancel_pid::decode(pid).slot].owner;
}

void cancel_registry::remove(std::uint32_t pid) {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  cancel_owner dead;  // its last owner may free a whole deployment: outside the lock
  std::lock_guard lock(mutex_);
  dead = std::exchange(slots_[index].owner, {});
  free_.push_back(index);
}

}  // namespace trunkline::session
