// What a gateway and its replicas share (docs/cancel.md): one secret, of which HKDF-SHA-256 (RFC 5869) makes
// the key that signs cancel keys and the key that replicas know each other by. Another secret does not reach
// all replicas in one moment, so that the one before still counts for limits::replica_old_secret. One per
// process; any thread, a mutex for each look.
#pragma once

#include <mutex>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "runtime/timer.h"
#include "session/cancel_key.h"

namespace trunkline::session {

struct replica_keys {
  replica_keys() = default;
  replica_keys(const replica_keys&) = default;
  replica_keys& operator=(const replica_keys&) = default;
  ~replica_keys();  ///< wiped

  cancel_mac_key cancel{};  ///< signs long cancel keys
  cancel_mac_key peer{};    ///< signs what replicas say to each other
  bool operator==(const replica_keys&) const = default;
};

replica_keys derive_replica_keys(std::string_view secret);

class replica_keyring {
 public:
  /// At most the present keys and those before; a third pair forgets the first.
  static constexpr std::size_t pairs_most = 2;

  /// An empty secret: there is none. Nothing changes where it is the one that there is.
  void set(std::string_view secret, runtime::time_point now);
  /// The newest first; empty: there is no secret, nor was there lately.
  std::vector<replica_keys> valid(runtime::time_point now) const;
  /// A key of another replica, or of one that is no more; nothing where it may be a guess.
  std::optional<long_key_facts> read(std::uint32_t pid, byte_span key, runtime::time_point now) const;

 private:
  struct pair {
    replica_keys keys;
    runtime::time_point until;  // of those before
  };
  mutable std::mutex mutex_;
  bool has_present_ = false;
  std::vector<pair> pairs_;  // the newest first
};

}  // namespace trunkline::session
