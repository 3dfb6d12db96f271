#include "audit/block_facts.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "audit/text_hash.h"
#include "base/limits.h"

namespace trunkline::audit {

namespace {

/// Twice what may be in it, so that a search ends soon.
constexpr std::size_t place_count = std::bit_ceil(2 * limits::audit_block_keys);

}  // namespace

std::uint32_t block_key_hash(block_key kind, std::string_view value) {
  const std::uint64_t wide = text_hash(value, 0x5e9a'3c1f'0000'0000 + static_cast<std::uint64_t>(kind));
  return static_cast<std::uint32_t>(wide >> 32);
}

bool block_facts::has(std::uint32_t key) const {
  return anything || std::ranges::binary_search(keys, key);
}

block_collector::block_collector() : places_(place_count) {}

void block_collector::insert(std::uint32_t key) {
  if (block_.anything) return;
  const std::uint64_t wanted = static_cast<std::uint64_t>(generation_) << 32 | key;
  std::size_t place = key & (place_count - 1);
  for (; places_[place] >> 32 == generation_; place = (place + 1) & (place_count - 1)) {
    if (places_[place] == wanted) return;
  }
  if (block_.keys.size() == limits::audit_block_keys) {
    block_.anything = true;
    return;
  }
  places_[place] = wanted;
  block_.keys.push_back(key);
}

void block_collector::add_key(block_key kind, std::string_view value) {
  if (value.empty()) return;
  std::string& before = before_[static_cast<std::size_t>(kind)];
  if (before == value) return;
  before.assign(value);
  insert(block_key_hash(kind, value));
}

void block_collector::add(std::uint64_t offset, std::size_t size, const line_facts& facts) {
  if (block_.lines == 0) {
    block_.offset = offset;
    block_.first_us = block_.last_us = facts.time_us;
  }
  ++block_.lines;
  block_.bytes = offset + size - block_.offset;
  block_.first_us = std::min(block_.first_us, facts.time_us);
  block_.last_us = std::max(block_.last_us, facts.time_us);
  block_.seconds = std::max(block_.seconds, facts.seconds);
  add_key(block_key::event, facts.event);
  add_key(block_key::session, facts.session);
  add_key(block_key::principal, facts.principal);
  add_key(block_key::database, facts.database);
  more(facts.fingerprint, facts.sqlstate);
}

void block_collector::more(std::string_view fingerprint, std::string_view sqlstate) {
  add_key(block_key::fingerprint, fingerprint);
  add_key(block_key::sqlstate, sqlstate);
}

block_facts block_collector::take() {
  block_facts full = std::exchange(block_, block_facts{});
  std::ranges::sort(full.keys);
  if (full.anything) full.keys.clear();
  for (std::string& each : before_)
    each.clear();
  if (++generation_ == 0) {
    std::ranges::fill(places_, 0);
    generation_ = 1;
  }
  return full;
}

}  // namespace trunkline::audit
