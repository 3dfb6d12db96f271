#include "session/guess_limiter.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "base/seconds.h"

namespace trunkline::session {
namespace {

constexpr double burst = limits::cancel_guesses;
constexpr double per_second = limits::cancel_guesses_per_second;

}  // namespace

bool guess_limiter::take(std::string_view source, runtime::time_point now) {
  std::lock_guard lock(mutex_);
  const auto known = by_source_.find(std::string(source));
  if (known != by_source_.end()) {
    buckets_.splice(buckets_.begin(), buckets_, known->second);
  } else {
    if (buckets_.size() >= limits::cancel_sources) {
      by_source_.erase(buckets_.back().source);
      buckets_.pop_back();
    }
    buckets_.push_front({std::string(source), burst, now});
    by_source_[buckets_.front().source] = buckets_.begin();
  }
  bucket& its = buckets_.front();
  its.tokens = std::min(burst, its.tokens + seconds_of(now - its.filled) * per_second);
  its.filled = now;
  if (its.tokens < 1) return false;
  its.tokens -= 1;
  return true;
}

void guess_limiter::give_back(std::string_view source) {
  std::lock_guard lock(mutex_);
  const auto known = by_source_.find(std::string(source));
  if (known != by_source_.end()) known->second->tokens = std::min(burst, known->second->tokens + 1);
}

std::string source_of(std::string_view host) {
  in6_addr address{};
  const std::string text(host);
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  std::memset(address.s6_addr + 8, 0, 8);
  char network[INET6_ADDRSTRLEN] = {};
  return std::string(::inet_ntop(AF_INET6, &address, network, sizeof network)) + "/64";
}

}  // namespace trunkline::session
