// What one server connection has prepared, least recently used first out. Owner: the connection's worker.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>

#include "pool/statement_book.h"

namespace trunkline::pool {

class prepared_set {
 public:
  /// True: it is there and as new as that; it now counts as used.
  bool use(std::uint64_t id, std::uint64_t epoch);
  bool has(std::uint64_t id) const { return places_.contains(id); }
  /// It has been, or is about to be, prepared.
  void add(const statement& which, std::uint64_t epoch);
  void remove(std::uint64_t id);
  void clear();
  std::size_t size() const { return places_.size(); }
  /// Where there are more than `limit`: the name of the one that was not used for longest, which is gone.
  std::optional<std::string> evict(std::size_t limit);

 private:
  struct entry {
    std::uint64_t id;
    std::uint64_t epoch;
    std::string name;
  };
  std::list<entry> entries_;  // used last at the end
  std::unordered_map<std::uint64_t, std::list<entry>::iterator> places_;
};

}  // namespace trunkline::pool
