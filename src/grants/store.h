// Where records live: what several gateways share. Writing compares and swaps: a record that somebody else
// has changed meanwhile is not overwritten, and whoever wanted to change it looks again. That is what a
// Kubernetes API server offers too. Everything here may wait for a disk: never on a loop. Owner: one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "grants/record.h"

namespace trunkline::grants {

struct store_failure {
  enum class kind : std::uint8_t {
    conflict,  ///< somebody else was faster: read again
    busy,      ///< another process holds it for too long
    full,      ///< no room is left
    refused,   ///< it takes no such record; the message is for who asks
    broken,    ///< damaged, or it cannot be read or written
  };
  kind what = kind::broken;
  std::string message;  ///< for the log; no secret in it
};

template <class T = void>
using stored = std::expected<T, store_failure>;

/// A request that somebody has put into the store without a gateway, and nobody has looked at.
struct wish {
  std::string place;
  std::string name_space;  ///< the route has to be of that one
  person by;
  std::string route;
  std::string database;
  std::string user;  ///< of the database; empty: named as who asks
  std::string reason;
  std::chrono::milliseconds length{0};  ///< of the grant; 0: as long as the policy allows
};

class store {
 public:
  virtual ~store() = default;

  /// `draft` with its number and version. Conflict: one for the same subject is open or active.
  virtual stored<record> create(record draft) = 0;
  /// Each where its version is still the one that is stored; those that were written, with their new
  /// versions. None of them on an error.
  virtual stored<std::vector<record>> update(std::vector<record> changed) = 0;
  virtual stored<std::optional<record>> find(std::int64_t id) = 0;
  /// The one that is open or active.
  virtual stored<std::optional<record>> find_live(const subject& what) = 0;
  /// All that are open or active.
  virtual stored<std::vector<record>> live() = 0;
  /// Those written after `version`, oldest first; at most `most`.
  virtual stored<std::vector<record>> changed_since(std::int64_t version, std::size_t most) = 0;
  /// The newest first.
  virtual stored<std::vector<record>> latest(std::size_t most) = 0;
  /// Removes those that ended before, and the oldest that have ended where there are more than `most`; also
  /// gateways that were there last before. How many of the first.
  virtual stored<std::size_t> forget(wall_time before, std::size_t most) = 0;

  /// `gateway` is there until then, unless it says so again.
  virtual stored<> tell_alive(const std::string& gateway, wall_time until) = 0;
  /// Those that are there.
  virtual stored<std::set<std::string>> alive(wall_time now) = 0;

  // What only some stores have:
  /// From now on `changed` is called, on any thread, when there is something new to read. False: it is not,
  /// and whoever wants to know has to look.
  virtual bool listen(std::function<void()> changed) { return changed == nullptr; }
  /// The clock that all who share the store go by.
  virtual wall_time now() { return wall_now(); }
  /// Why nothing can be written, although what is known can be read; empty: it can.
  virtual std::string problem() { return ""; }
  virtual stored<std::vector<wish>> wishes() { return std::vector<wish>(); }
  /// It becomes no request.
  virtual stored<> refuse(const wish&, const std::string&) { return {}; }
  /// Why that answer does not count, whatever the rule says; empty: it may.
  virtual stored<std::string> objection(const record&, const written_answer&) { return ""; }
  /// Whether who has written an answer is an administrator.
  virtual bool administers(const person&) { return false; }
};

}  // namespace trunkline::grants
