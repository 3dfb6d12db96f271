#include "tls/ticket_keys.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <cstring>

#include "base/limits.h"
#include "base/redacted.h"

namespace trunkline::tls {
namespace {

/// Guessable ticket keys would open every resumed session: without randomness there is nothing to go on with.
template <std::size_t size>
void fill_randomly(std::array<unsigned char, size>& bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(size)) != 1) std::abort();
}

}  // namespace

ticket_keys::key::key() {
  fill_randomly(name);
  fill_randomly(cipher);
  fill_randomly(mac);
}

ticket_keys::key::~key() {
  wipe(cipher.data(), cipher.size());
  wipe(mac.data(), mac.size());
}

ticket_keys::ticket_keys() : keys_{std::make_shared<const key>()} {}

void ticket_keys::rotate() {
  auto fresh = std::make_shared<const key>();
  const std::lock_guard lock(mutex_);
  keys_.insert(keys_.begin(), std::move(fresh));
  if (keys_.size() > 1 + limits::tls_ticket_keys_kept) keys_.resize(1 + limits::tls_ticket_keys_kept);
}

std::shared_ptr<const ticket_keys::key> ticket_keys::sealing() const {
  const std::lock_guard lock(mutex_);
  return keys_.front();
}

std::shared_ptr<const ticket_keys::key> ticket_keys::named(byte_span name) const {
  const std::lock_guard lock(mutex_);
  for (const auto& one : keys_) {
    if (name.size() == one->name.size() && std::memcmp(name.data(), one->name.data(), name.size()) == 0)
      return one;
  }
  return nullptr;
}

}  // namespace trunkline::tls
