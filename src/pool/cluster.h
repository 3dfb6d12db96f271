// The servers of one upstream as the logins of all workers share them: the newest topology, a choice that
// counts, and the waiting room of those for whom there is no server now. One per upstream name, over all
// reloads. The watch (cluster_watch.h) publishes; sessions choose, wait and tell what they saw. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket_address.h"
#include "pool/endpoint_feed.h"
#include "pool/member.h"
#include "routing/choose.h"
#include "routing/topology.h"
#include "runtime/remote_wake.h"

namespace trunkline::pool {

/// Immutable; one per change. The lists have the same length and order as `known.endpoints`.
struct cluster_view {
  routing::topology known;
  std::vector<std::vector<net::socket_address>> addresses;
  std::vector<std::shared_ptr<member>> members;
  /// Sessions are held: of PAUSE, or of a SWITCHOVER under way.
  bool paused = false;
};

/// Hears what sessions see of servers. Called on workers' threads, under the cluster's lock: posts, and
/// returns.
class cluster_listener {
 public:
  virtual ~cluster_listener() = default;
  /// A login or a session failed there: look at it now.
  virtual void suspected(routing::endpoint_id which) = 0;
  /// A login saw it in recovery, or not.
  virtual void role_seen(routing::endpoint_id which, bool in_recovery) = 0;
  /// Somebody waits for a server.
  virtual void wanted() = 0;
};

class cluster {
 public:
  explicit cluster(std::string upstream);
  cluster(const cluster&) = delete;
  cluster& operator=(const cluster&) = delete;

  const std::string& name() const { return name_; }
  /// Never null: before the watch has begun nothing is settled.
  std::shared_ptr<const cluster_view> now() const;

  /// A server for one more session, already counted there.
  struct choice {
    std::shared_ptr<const cluster_view> seen;
    std::size_t index = 0;  ///< into `seen`
    pool::lease lease;
  };
  /// `tried`: not those. Nothing where none fits.
  std::optional<choice> choose(const routing::wish& wanted, std::span<const routing::endpoint_id> tried);

  /// Hears of every new view, in the order of their coming.
  class subscription {
   public:
    subscription(cluster& of, runtime::loop& where, runtime::signal& changed);
    subscription(const subscription&) = delete;
    subscription& operator=(const subscription&) = delete;
    ~subscription();

   private:
    cluster& of_;
    runtime::remote_wake here_;
    std::list<runtime::remote_wake::caller>::iterator at_;
  };

  /// Counted while a session waits for a server.
  class held {
   public:
    held(cluster& of, routing::moment now);
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    ~held();
    void over(routing::moment now) { until_ = now; }

   private:
    cluster& of_;
    routing::moment since_;
    routing::moment until_;
  };
  std::uint64_t held_now() const { return held_now_.load(std::memory_order_relaxed); }
  std::uint64_t holds() const { return holds_.load(std::memory_order_relaxed); }
  std::uint64_t held_us() const { return held_us_.load(std::memory_order_relaxed); }

  // What sessions tell.
  void suspect(routing::endpoint_id which);
  void tell_role(routing::endpoint_id which, bool in_recovery);

  // The watch's. `changed`: those who wait are woken.
  void publish(std::shared_ptr<const cluster_view> view, bool changed);
  /// A primary is known again, after so long without.
  void tell_gap(std::chrono::microseconds gap) {
    last_gap_us_.store(static_cast<std::uint64_t>(gap.count()), std::memory_order_relaxed);
    gaps_.fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t gaps() const { return gaps_.load(std::memory_order_relaxed); }
  std::uint64_t last_gap_us() const { return last_gap_us_.load(std::memory_order_relaxed); }
  void count_discovery_failures(std::uint64_t all) {
    discovery_failures_.store(all, std::memory_order_relaxed);
  }
  std::uint64_t discovery_failures() const { return discovery_failures_.load(std::memory_order_relaxed); }
  void set_listener(cluster_listener* who);
  /// Who finds its endpoints; null: nobody but the DNS.
  void set_feed(std::shared_ptr<const endpoint_feed> from);
  std::shared_ptr<const endpoint_feed> feed() const;

 private:
  const std::string name_;
  mutable std::mutex mutex_;
  std::shared_ptr<const cluster_view> now_;
  std::shared_ptr<const endpoint_feed> feed_;
  std::vector<routing::endpoint_load> loads_;  // scratch of `choose`
  std::list<runtime::remote_wake::caller> subscribers_;
  std::mutex listener_mutex_;
  cluster_listener* listener_ = nullptr;
  std::atomic<std::uint64_t> held_now_{0};
  std::atomic<std::uint64_t> holds_{0};
  std::atomic<std::uint64_t> held_us_{0};
  std::atomic<std::uint64_t> gaps_{0};
  std::atomic<std::uint64_t> last_gap_us_{0};
  std::atomic<std::uint64_t> discovery_failures_{0};
};

}  // namespace trunkline::pool
