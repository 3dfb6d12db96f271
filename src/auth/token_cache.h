// Tokens that are known to be good, so that a second login with one costs a hash and a look-up. Only their
// SHA-256 is kept, of the token and of what it was checked by. Thread-safe; a look-up holds a mutex for well
// under a microsecond, so that loops may use it. The one that was not seen for longest goes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "auth/identity.h"
#include "auth/sha256.h"
#include "auth/token.h"

namespace trunkline::auth {

class token_cache {
 public:
  /// 0 keeps nothing.
  explicit token_cache(std::size_t capacity) : capacity_(capacity) {}

  /// What a token is known by. `checked_by`: a text that is another one for other rules.
  static digest name_of(std::string_view token, std::string_view checked_by);

  /// Null: not known, no longer valid, or checked with other keys than those of `fingerprint`.
  std::shared_ptr<const identity> find(const digest& name, const digest& fingerprint, wall_time now);
  /// It is believed until `until`.
  void put(const digest& name, const digest& fingerprint, wall_time until,
           std::shared_ptr<const identity> who);
  std::size_t size() const;

 private:
  struct entry {
    digest name;
    digest fingerprint;
    wall_time until;
    std::shared_ptr<const identity> who;
  };
  struct name_hash {
    std::size_t operator()(const digest& name) const;
  };
  using place = std::list<entry>::iterator;

  void forget(place which);

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::list<entry> entries_;  ///< seen last first
  std::unordered_map<digest, place, name_hash> by_name_;
};

}  // namespace trunkline::auth
