#include "session/cancel_registry.h"

#include <algorithm>
#include <utility>

#include "auth/sha256.h"
#include "runtime/random.h"
#include "session/cancel_taker.h"

namespace trunkline::session {

namespace {

byte_span remembered_of(byte_span key) {
  return key.last(std::min(key.size(), std::tuple_size_v<cancel_key_end>));
}

}  // namespace

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

cancel_owner cancel_registry::ticket::owner() const {
  std::lock_guard lock(registry_->mutex_);
  return owner_of(registry_->slots_[cancel_pid::decode(pid_).slot].who);
}

void cancel_registry::identify(std::uint16_t replica, const cancel_mac_key& mac_key) {
  std::lock_guard lock(mutex_);
  replica_ = replica;
  mac_key_ = mac_key;
}

cancel_owner cancel_registry::owner_of(const holder& who) {
  if (const auto* target = std::get_if<std::shared_ptr<const cancel_target>>(&who))
    return {.session = (*target)->session, .target = *target};
  if (auto* const* taker = std::get_if<cancel_taker*>(&who))
    return {.session = (*taker)->session_number(), .where = &(*taker)->where()};
  return {};
}

cancel_registry::issued cancel_registry::add(std::shared_ptr<const cancel_target> target, bool long_key) {
  return take_slot(holder(std::move(target)), long_key);
}

cancel_registry::issued cancel_registry::add(cancel_taker& taker, bool long_key) {
  return take_slot(holder(&taker), long_key);
}

cancel_registry::issued cancel_registry::take_slot(holder who, bool long_key) {
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
    const long_cancel_key key = make_long_key(mac_key_, pid, owner_of(who).session, nonce);
    made.key.assign(key.begin(), key.end());
  } else {
    made.key.assign(random.begin(), random.begin() + short_cancel_key_bytes);
  }
  slot& taken = slots_[index];
  taken.who = std::move(who);
  taken.pid = made.ticket.pid_;
  taken.key_size = static_cast<std::uint8_t>(made.key.size());
  std::ranges::copy(remembered_of(made.key), taken.key.begin());
  return made;
}

cancel_owner cancel_registry::find(std::uint32_t pid, byte_span key) const {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  std::lock_guard lock(mutex_);
  if (index >= slots_.size()) return {};
  const slot& found = slots_[index];
  if (found.pid != pid || found.key_size != key.size()) return {};
  // As it was told, of whatever kind: what was signed with an older secret is as good as ever here.
  const byte_span given = remembered_of(key);
  const bool fits = auth::equal_in_constant_time(byte_span(found.key).first(given.size()), given);
  return fits ? owner_of(found.who) : cancel_owner();
}

cancel_taker* cancel_registry::taker(std::uint32_t pid, std::uint64_t session) const {
  std::lock_guard lock(mutex_);
  auto* const* found = std::get_if<cancel_taker*>(&slots_[cancel_pid::decode(pid).slot].who);
  return found != nullptr && (*found)->session_number() == session ? *found : nullptr;
}

void cancel_registry::remove(std::uint32_t pid) {
  const std::uint32_t index = cancel_pid::decode(pid).slot;
  holder dead;  // its target may be the last to keep a whole deployment, which is freed outside the lock
  std::lock_guard lock(mutex_);
  dead = std::exchange(slots_[index].who, {});
  free_.push_back(index);
}

}  // namespace trunkline::session
