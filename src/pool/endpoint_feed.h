// Endpoints that somebody beside the road finds for an upstream, such as the Kubernetes API client: it
// publishes what it knows, and the upstream's watch hears of each change. What was published stays until
// something else is: that is how a source that is lost changes nothing. Shared by both; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/socket_address.h"
#include "routing/topology.h"

namespace trunkline::pool {

struct found_endpoint {
  net::socket_address address;
  std::uint16_t port = 0;
  std::string zone = {};  ///< empty: not said
  bool ready = true;      ///< another one is preferred where it is not
  bool leaving = false;   ///< no new sessions, and those that there are end at rest
};

/// Immutable once published.
struct found_endpoints {
  std::string server_name;  ///< what the certificates of all of them must be for
  std::vector<found_endpoint> endpoints;
};

class endpoint_feed {
 public:
  /// Called on the publisher's thread, under a lock: posts, and returns.
  using listener = std::function<void()>;

  // The publisher's.
  void publish(std::shared_ptr<const found_endpoints> found) {
    std::lock_guard lock(mutex_);
    now_ = std::move(found);
    tell();
  }
  /// What is published was so at this time.
  void confirm(routing::moment when) {
    std::lock_guard lock(mutex_);
    confirmed_ = when;
    if (std::exchange(problem_, {}) != "") tell();
  }
  /// The source failed once more.
  void fail(std::string why) {
    std::lock_guard lock(mutex_);
    problem_ = std::move(why);
    ++failures_;
    tell();
  }

  // The watch's.
  void set_listener(listener who) {
    std::lock_guard lock(mutex_);
    listener_ = std::move(who);
  }
  /// Null: nothing yet.
  std::shared_ptr<const found_endpoints> now() const {
    std::lock_guard lock(mutex_);
    return now_;
  }
  /// Empty: all is well.
  std::string problem() const {
    std::lock_guard lock(mutex_);
    return problem_;
  }
  std::uint64_t failures() const {
    std::lock_guard lock(mutex_);
    return failures_;
  }
  /// When the source last said that all is as it was published; nothing: never.
  std::optional<routing::moment> confirmed() const {
    std::lock_guard lock(mutex_);
    return confirmed_;
  }

 private:
  void tell() const {
    if (listener_) listener_();
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const found_endpoints> now_;
  std::string problem_;
  std::uint64_t failures_ = 0;
  std::optional<routing::moment> confirmed_;
  listener listener_;
};

}  // namespace trunkline::pool
