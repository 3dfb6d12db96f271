// How often a source may present cancel keys that belong to nobody: a bucket of tokens for each source, so
// that a flood of guesses is not multiplied by the number of replicas. A guess takes a token when it is
// passed on, and gives it back where it turns out to be genuine. One per process; any thread.
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "runtime/timer.h"

namespace trunkline::session {

class guess_limiter {
 public:
  /// False: the bucket is empty. With limits::cancel_sources others, the source that was heard least lately
  /// is forgotten for it.
  bool take(std::string_view source, runtime::time_point now);
  void give_back(std::string_view source);

 private:
  struct bucket {
    std::string source;
    double tokens = 0;
    runtime::time_point filled;
  };
  mutable std::mutex mutex_;
  std::list<bucket> buckets_;  // heard last first
  std::unordered_map<std::string, std::list<bucket>::iterator> by_source_;
};

/// What counts as one source: an IPv4 address, or the /64 network of an IPv6 address; anything else as it is.
std::string source_of(std::string_view host);

}  // namespace trunkline::session
