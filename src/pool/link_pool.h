// The server connections that clients of one kind share: one pool for each upstream, target, database, user
// and set of start-up settings. Its limit counts over all workers; each worker has a shelf of its own, where
// its sessions find a connection without a lock. Any thread, but for the shelves.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "pool/link_shelf.h"
#include "pool/link_source.h"
#include "pool/listen_hub.h"
#include "pool/parameter_list.h"
#include "pool/pool_group.h"
#include "pool/setting_map.h"

namespace trunkline::pool {

/// What clients must have in common to share connections.
struct pool_identity {
  std::string upstream;
  config::route_target target = config::route_target::primary;
  std::string database;
  std::string user;       ///< at the server
  std::string settings;   ///< that the route sends at start-up, in any form that tells them apart
  std::string role = {};  ///< of these, as current_setting('role') tells it; empty: none
  bool operator==(const pool_identity&) const = default;
};

/// By whom a pool was made, for those who look at it.
struct pool_origin {
  std::string route;
  std::string database;  ///< as the client asked for it
};

/// What a client is told at its login, and what its session's settings are then.
struct welcome {
  parameter_list parameters;
  setting_map settings;
  /// The parameters as ParameterStatus messages, for every client the same: those before application_name,
  /// and those behind it.
  std::vector<std::byte> first_statuses = {};
  std::vector<std::byte> further_statuses = {};
  bool tells_application_name = false;
};

/// What a pool is at a moment.
struct pool_figures {
  std::size_t size = 0;  ///< at most so many connections
  std::size_t open = 0;  ///< there are, or are being opened
  std::size_t idle = 0;
  std::size_t opening = 0;
  std::size_t resetting = 0;  ///< the last client's traces are being removed
  std::size_t clients = 0;
  std::size_t waiting = 0;  ///< of them, for a connection
  std::uint64_t waits = 0;  ///< that ever did, and how long in all
  std::uint64_t waited_us = 0;
  std::uint64_t longest_wait_us = 0;  ///< of those who wait now
  /// Clients have them. Counted while they come and go: what is between two states may be missing.
  std::size_t active() const {
    const std::size_t others = idle + opening + resetting;
    return open > others ? open - others : 0;
  }
};

/// Whether a pool may have one connection more.
enum class entering : std::uint8_t {
  done,
  full,     ///< it has as many as it may have
  no_room,  ///< the upstream's pools have; another one is asked to give a connection
};

class link_pool final : public std::enable_shared_from_this<link_pool>, private budget_member {
 public:
  link_pool(pool_identity who, pool_origin origin, pool_group& group,
            const std::vector<runtime::loop*>& workers);
  link_pool(const link_pool&) = delete;
  link_pool& operator=(const link_pool&) = delete;
  ~link_pool() override;

  const pool_identity& who() const { return who_; }
  const pool_origin& origin() const { return origin_; }
  pool_group& group() { return group_; }
  /// Only on the thread of that worker.
  link_shelf& shelf(unsigned worker) { return *shelves_[worker]; }
  std::size_t shelves() const { return shelves_.size(); }
  /// On the loop of the first worker.
  listen_hub& listening() { return *listening_; }
  const listen_hub& listening() const { return *listening_; }

  /// The newest configuration, and the secret of whoever logged in last.
  void set_source(std::shared_ptr<const link_source> newest);
  std::shared_ptr<const link_source> source() const;

  /// What clients with these start-up settings are told; nothing: it is not known yet.
  std::shared_ptr<const welcome> find_welcome(const std::string& settings) const;
  void keep_welcome(const std::string& settings, std::shared_ptr<const welcome> made);

  pool_figures figures() const;
  /// Statements that were prepared before a change of the schema may not fit any more: one more with each.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  void schema_changed() { epoch_.fetch_add(1, std::memory_order_relaxed); }
  /// Somebody has asked for currval() or lastval(): from then on a session that gets a connection gets it
  /// without what others' nextval() has said there.
  bool sequences_are_read() const { return sequences_are_read_.load(std::memory_order_relaxed); }
  void note_sequence_reader() { sequences_are_read_.store(true, std::memory_order_relaxed); }
  /// Connections made before are not used again (RECONNECT).
  std::uint64_t generation() const { return generation_.load(std::memory_order_relaxed); }
  void reconnect() { generation_.fetch_add(1, std::memory_order_relaxed); }

  // ---- for the shelves ----

  /// A place for one more connection. Where there is no room, whoever waits asks again after
  /// `limits::pool_room_retry`, or when it is told of a place.
  entering enter(runtime::time_point now);
  void leave(std::size_t how_many);
  /// A place that was told of is not used.
  void pass_on() { group_.budget().pass_on(*this); }
  using budget_member::pays;
  std::size_t size() const { return size_.load(std::memory_order_relaxed); }
  std::size_t min_idle() const { return min_idle_.load(std::memory_order_relaxed); }
  std::size_t clients() const;
  std::size_t open() const { return open_.load(std::memory_order_relaxed); }
  /// The other shelf whose first client has waited for longest; null: none waits.
  link_shelf* waits_longest(const link_shelf& but) const { return waits_longest(&but); }
  /// Asks the others for an idle connection for that shelf.
  void ask_others(const link_shelf& who);
  /// There is a place for one more connection: whoever waits elsewhere may open one.
  void tell_of_room(const link_shelf& from);
  /// On its way to another worker. False: the connection cannot be moved now, and stays in `which`.
  bool send(std::unique_ptr<link>& which, link_shelf& from, link_shelf& to);

 private:
  const std::string& budget_user() const override { return who_.user; }
  std::size_t spare_connections() const override;
  std::size_t waiting_clients() const override;
  std::optional<runtime::time_point> waits_since() const override;
  void asked_to_pay() override;
  bool place_is_free() override;
  link_shelf* waits_longest(const link_shelf* but) const;

  const pool_identity who_;
  const pool_origin origin_;
  pool_group& group_;
  std::atomic<std::size_t> size_{1};
  std::atomic<std::size_t> min_idle_{0};
  std::atomic<std::size_t> open_{0};
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<bool> sequences_are_read_{false};
  std::vector<std::unique_ptr<link_shelf>> shelves_;
  std::unique_ptr<listen_hub> listening_;
  mutable std::mutex mutex_;
  std::shared_ptr<const link_source> source_;
  std::unordered_map<std::string, std::shared_ptr<const welcome>> welcomes_;
};

/// All pools of the process. Any thread.
class link_pools {
 public:
  explicit link_pools(std::vector<runtime::loop*> workers) : workers_(std::move(workers)) {}

  /// `origin`: who asks, should it be the first.
  std::shared_ptr<link_pool> find_or_make(const pool_identity& who, const pool_origin& origin);
  /// The oldest first.
  std::vector<std::shared_ptr<link_pool>> all() const;
  /// Of all upstreams and workers; they stay.
  std::vector<const telemetry::pool_metrics*> counts() const;
  /// On the worker's thread, or when it has ended: its shelves close what they have.
  void close_shelves(unsigned worker);
  /// On the worker's thread: idle connections to that server close, if `which` says so.
  void evict(unsigned worker, const std::function<bool(const link&)>& which);

  /// Pools that have had neither clients nor connections for their `pool.idleTimeout` (10 minutes where that
  /// is 0) are no more; who comes later makes a new one. Called now and then, from one thread.
  void forget_unused(runtime::time_point now);

  statement_book& statements() { return statements_; }

 private:
  struct entry {
    std::shared_ptr<link_pool> pool;
    std::uint64_t number = 0;                         ///< the oldest has the lowest
    std::optional<runtime::time_point> unused_since;  ///< as `forget_unused` has seen it
  };
  static bool is_forgotten(entry& of, runtime::time_point now);
  pool_group& group_of(const std::string& upstream);

  const std::vector<runtime::loop*> workers_;
  statement_book statements_;
  std::atomic<std::uint64_t> last_link_{0};
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<pool_group>> groups_;
  std::uint64_t last_pool_ = 0;
  std::unordered_map<std::string, entry> pools_;  // by their identity
};

}  // namespace trunkline::pool
