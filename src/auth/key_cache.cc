#include "auth/key_cache.h"

#include <array>
#include <cstring>

#include "auth/sha256.h"

namespace trunkline::auth {
namespace {

std::array<std::byte, 4> number_bytes(std::size_t value) {
  std::array<std::byte, 4> out;
  store_u32(out.data(), static_cast<std::uint32_t>(value));
  return out;
}

}  // namespace

key_cache::key_cache(byte_span process_secret, std::size_t capacity)
    : process_secret_(sha256({process_secret})), capacity_(capacity) {}

std::size_t key_cache::name_hash::operator()(const digest& name) const {
  std::size_t out;  // the name is an HMAC: any part of it is as good a hash as any other
  std::memcpy(&out, name.data(), sizeof out);
  return out;
}

digest key_cache::name_of(std::string_view user, std::string_view password, byte_span salt,
                          std::uint32_t iterations) const {
  // The lengths keep ("a", "bc") and ("ab", "c") apart.
  return hmac_sha256(process_secret_.reveal(),
                     {number_bytes(user.size()), as_bytes(user), number_bytes(password.size()),
                      as_bytes(password), number_bytes(iterations), salt});
}

std::optional<client_keys> key_cache::find(std::string_view user, std::string_view password, byte_span salt,
                                           std::uint32_t iterations) {
  const digest name = name_of(user, password, salt, iterations);
  const std::lock_guard lock(mutex_);
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, at->second);
  return at->second->keys;
}

void key_cache::put(std::string_view user, std::string_view password, byte_span salt,
                    std::uint32_t iterations, const client_keys& keys) {
  if (capacity_ == 0) return;
  const digest name = name_of(user, password, salt, iterations);
  const std::lock_guard lock(mutex_);
  if (const auto at = by_name_.find(name); at != by_name_.end()) {
    at->second->keys = keys;
    entries_.splice(entries_.begin(), entries_, at->second);
    return;
  }
  if (entries_.size() >= capacity_) {
    by_name_.erase(entries_.back().name);
    entries_.pop_back();
  }
  entries_.push_front({.name = name, .keys = keys});
  by_name_.emplace(name, entries_.begin());
}

void key_cache::clear() {
  const std::lock_guard lock(mutex_);
  by_name_.clear();
  entries_.clear();
}

std::size_t key_cache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace trunkline::auth
