// The prepared statements of one client under its own names, and what has to be taken back of them when a
// batch fails: what stands behind the failed request was skipped by the server (wire.md 4). Exists once the
// client has prepared something. Owner: a pooled session; one loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pool/statement_book.h"

namespace trunkline::session {

class client_statements {
 public:
  using entry = std::shared_ptr<const pool::statement>;

  /// Null: there is none of that name.
  const entry& find(std::string_view name) const;
  /// `request`: the number of the request that does it, or of the last one before it.
  void add(std::string_view name, entry which, std::uint64_t request);
  void remove(std::string_view name, std::uint64_t request);
  /// DISCARD ALL, DEALLOCATE ALL.
  void clear();
  /// A request failed, and the server skips what stands behind it, up to the Sync with that number; 0: to all
  /// that was sent so far.
  void take_back(std::uint64_t from_request, std::uint64_t sync);
  /// The batch is over.
  void settle() { changes_.clear(); }
  bool within_limits() const;
  std::size_t size() const { return by_name_.size(); }

 private:
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct change {
    std::uint64_t request;
    std::string name;
    entry before;
  };
  void put(std::string_view name, entry which);

  std::unordered_map<std::string, entry, name_hash, std::equal_to<>> by_name_;
  std::size_t bytes_ = 0;
  std::vector<change> changes_;
};

}  // namespace trunkline::session
