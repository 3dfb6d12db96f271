#include "session/replica_keys.h"

#include <algorithm>

#include "auth/sha256.h"
#include "base/limits.h"
#include "base/redacted.h"

namespace trunkline::session {
namespace {

/// HKDF-Expand for one block, which is all that a key takes.
cancel_mac_key expand(const auth::digest& from, std::string_view what) {
  constexpr std::byte first_block{1};
  return auth::hmac_sha256(from, {as_bytes(what), byte_span(&first_block, 1)});
}

}  // namespace

replica_keys::~replica_keys() {
  wipe(cancel.data(), cancel.size());
  wipe(peer.data(), peer.size());
}

replica_keys derive_replica_keys(std::string_view secret) {
  auth::digest extracted = auth::hmac_sha256(as_bytes("trunkline replicas"), {as_bytes(secret)});
  replica_keys made;
  made.cancel = expand(extracted, "cancel keys 1");
  made.peer = expand(extracted, "between replicas 1");
  wipe(extracted.data(), extracted.size());
  return made;
}

void replica_keyring::set(std::string_view secret, runtime::time_point now) {
  std::lock_guard lock(mutex_);
  std::optional<replica_keys> next;
  if (!secret.empty()) next = derive_replica_keys(secret);
  const bool same = has_present_ == next.has_value() && (!next || *next == pairs_.front().keys);
  if (same) return;
  if (has_present_) pairs_.front().until = now + limits::replica_old_secret;
  std::erase_if(pairs_, [&](const pair& each) { return each.until <= now || (next && each.keys == *next); });
  if (next) pairs_.insert(pairs_.begin(), {*next, runtime::time_point::max()});
  if (pairs_.size() > pairs_most) pairs_.resize(pairs_most);
  has_present_ = next.has_value();
}

std::vector<replica_keys> replica_keyring::valid(runtime::time_point now) const {
  std::lock_guard lock(mutex_);
  std::vector<replica_keys> all;
  for (const pair& each : pairs_)
    if (each.until > now) all.push_back(each.keys);
  return all;
}

std::optional<long_key_facts> replica_keyring::read(std::uint32_t pid, byte_span key,
                                                    runtime::time_point now) const {
  for (const replica_keys& each : valid(now))
    if (auto facts = read_long_key(each.cancel, pid, key)) return facts;
  return std::nullopt;
}

}  // namespace trunkline::session
