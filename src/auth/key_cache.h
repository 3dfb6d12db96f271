// A bounded memory of derived client keys, so that PBKDF2 runs once per user and not once per login.
// Thread-safe; a look-up holds a mutex for well under a microsecond, so that loops may use it. The entry's
// name is an HMAC of user, password, salt and iterations under a random key of this process: the password
// itself is not kept, and a changed password finds nothing. Least recently used entries go first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "auth/scram_keys.h"
#include "base/bytes.h"

namespace trunkline::auth {

class key_cache {
 public:
  /// `process_secret`: at least 32 random bytes. `capacity` 0 keeps nothing.
  key_cache(byte_span process_secret, std::size_t capacity);

  std::optional<client_keys> find(std::string_view user, std::string_view password, byte_span salt,
                                  std::uint32_t iterations);
  void put(std::string_view user, std::string_view password, byte_span salt, std::uint32_t iterations,
           const client_keys& keys);
  void clear();
  std::size_t size() const;

 private:
  struct entry {
    digest name;
    client_keys keys;
  };
  struct name_hash {
    std::size_t operator()(const digest& name) const;
  };

  digest name_of(std::string_view user, std::string_view password, byte_span salt,
                 std::uint32_t iterations) const;

  secret_key process_secret_;
  std::size_t capacity_;
  mutable std::mutex mutex_;
  std::list<entry> entries_;  ///< most recently used first
  std::unordered_map<digest, std::list<entry>::iterator, name_hash> by_name_;
};

}  // namespace trunkline::auth
