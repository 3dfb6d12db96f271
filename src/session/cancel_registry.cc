#include "session/cancel_registry.h"

#include <openssl/crypto.h>

#include <utility>

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

cancel_registry::issued cancel_registry::add(std::shared_ptr<const cancel_target> target, bool long_key) {
  const std::uint32_t secret = load_u32(runtime::random_bytes<4>().data());
  const cancel_nonce nonce = runtime::random_bytes<sizeof(cancel_nonce)>();

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
    const long_cancel_key key = make_long_key(mac_key_, pid, target->session, nonce);
    made.key.assign(key.begin(), key.end());
  } else {
    made.key.resize(sizeof secret);
    store_u32(made.key.data(), secret);
  }
  slots_[index] = {std::move(target), secret, long_key};
  return made;
}

std::shared_ptr<const cancel_target> cancel_registry::find(std::uint32_t pid, byte_span key) const {
  const cancel_pid parts = cancel_pid::decode(pid);
  if (parts.replica != replica_) return nullptr;
  std::lock_guard lock(mutex_);
  if (parts.slot >= slots_.size() || slots_[parts.slot].target == nullptr) return nullptr;
  const slot& found = slots_[parts.slot];
  if (found.long_key) {
    const auto facts = read_long_key(mac_key_, pid, key);
    return facts && facts->session == found.target->session ? found.target : nullptr;
  }
  std::byte expected[4];
  store_u32(expected, found.secret);
  if (key.size() != sizeof expected || ::CRYPTO_memcmp(expected, key.data(), sizeof expected) != 0)
    return nullptr;
  return found.target;
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
