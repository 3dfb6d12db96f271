// What the sparse index keeps of a block of lines, and the object that collects it line by line. Value types,
// and one collector for each owner; not thread-safe. Times are microseconds since 1970, UTC.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::audit {

/// What the index wants to know of one line; empty views where it has none.
struct line_facts {
  std::int64_t time_us = 0;
  std::string_view event, session, principal, database, fingerprint, sqlstate;
  std::string_view normalised;
  double seconds = 0;
};

/// The values by which a block is found again; part of the hash, and so of the file's format.
enum class block_key : std::uint8_t { event, session, principal, database, fingerprint, sqlstate };

std::uint32_t block_key_hash(block_key kind, std::string_view value);

struct block_facts {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  std::int64_t first_us = 0;
  std::int64_t last_us = 0;         ///< the largest, also where the clock jumped
  double seconds = 0;               ///< of the slowest exchange
  std::vector<std::uint32_t> keys;  ///< hashes of all values, sorted, each once
  bool anything = false;            ///< more than `limits::audit_block_keys` of them: it may hold any value

  bool has(std::uint32_t key) const;
};

class block_collector {
 public:
  block_collector();

  /// Lines follow each other without a hole; `limits::audit_block_lines` at the most.
  void add(std::uint64_t offset, std::size_t size, const line_facts& facts);
  /// Of further statements of the line just added.
  void more(std::string_view fingerprint, std::string_view sqlstate);
  std::uint64_t lines() const { return block_.lines; }
  /// What was collected; the next block begins empty.
  block_facts take();

 private:
  void add_key(block_key kind, std::string_view value);
  void insert(std::uint32_t key);

  block_facts block_;
  // An open-addressed set with a generation for each place, so that emptying it costs nothing.
  std::vector<std::uint64_t> places_;
  std::uint32_t generation_ = 1;
  // Neighbouring lines often say the same; a value equal to the one before needs no hash.
  std::array<std::string, 6> before_;
};

}  // namespace trunkline::audit
