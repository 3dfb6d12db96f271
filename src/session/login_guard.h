// Who fails to log in too often waits: each failure of a user from a source, and each of a source, adds to
// what its next logins wait for, and time takes it away again; the first ones are free. So guessing is slow,
// and those behind the same address with other users hardly notice. One per process; any thread.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "runtime/timer.h"

namespace trunkline::session {

class login_guard {
 public:
  /// How long this login has to wait; nothing: so long that it is refused at once.
  std::optional<runtime::duration> wait(std::string_view source, std::string_view user,
                                        runtime::time_point now) const;
  /// With limits::login_suspects others, who failed least lately is forgotten for it.
  void failed(std::string_view source, std::string_view user, runtime::time_point now);
  std::size_t suspects() const;

 private:
  struct suspect {
    std::string name;
    runtime::time_point paid;  ///< when nothing of its failures is left
  };

  void add(std::string name, runtime::duration cost, runtime::time_point now);
  runtime::duration owed(const std::string& name, runtime::duration free, runtime::time_point now) const;

  mutable std::mutex mutex_;
  std::list<suspect> suspects_;  // failed last first
  std::unordered_map<std::string, std::list<suspect>::iterator> by_name_;
};

}  // namespace trunkline::session
