// Watches one upstream: finds its endpoints, asks each what it is, and publishes what is known to the
// sessions as one immutable view with each change. Owner: `watch_room`, on its loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "pool/cluster.h"
#include "pool/endpoint_watch.h"
#include "pool/eviction.h"
#include "pool/name_watch.h"
#include "pool/role_judge.h"
#include "pool/upstream_news.h"
#include "telemetry/logger.h"

namespace trunkline::pool {

/// What a watch needs of the process. Outlives it.
struct watch_services {
  runtime::loop* loop = nullptr;
  key_deriver keys = {};
  /// For look-ups: a resolver that is silent must not keep logins waiting for their PBKDF2.
  runtime::work_pool* lookups = nullptr;
  telemetry::logger* log = nullptr;
  loop_guard* loops = nullptr;
  // Called on the loop's thread:
  std::function<void(eviction)> evict = {};
  /// Its sessions look at `member::held` again.
  std::function<void(std::shared_ptr<const member>)> hold = {};
  std::function<void(const upstream_news&)> told = {};
};

class cluster_watch final : public endpoint_watch_owner, public cluster_listener {
 public:
  cluster_watch(const watch_services& with, std::shared_ptr<cluster> of);
  ~cluster_watch() override;

  void configure(std::shared_ptr<const watch_setup> setup);
  /// The configuration has no such upstream any more: its sessions must leave.
  void retire();
  bool is_empty() const { return entries_.empty(); }

  // What an operator asks for (cluster_operations.cc). The answer comes on the loop's thread; where the watch
  // ends before, not at all.
  using answer = std::function<void(result<std::string>)>;
  void pause(answer done);
  void resume();
  bool is_paused() const { return paused_; }
  /// Sessions end when they are idle; what was seen of timelines is forgotten, and everything is asked anew.
  void reconnect();
  void switch_over(const std::string& to, runtime::duration within, answer done);

 private:
  /// One endpoint that discovery names, and its watch.
  struct entry {
    std::string name;
    config::address address;
    name_watch* from = nullptr;  // whose addresses it has; null: its own
    std::unique_ptr<endpoint_watch> watch = {};
    routing::server_role learned = routing::server_role::unknown;  // from logins
    std::string zone = {};                                         // as discovery says; empty: it does not
    bool ready = true;
    bool leaving = false;
    bool closed = false;          // no new work: PAUSE, or SWITCHOVER away from it
    routing::endpoint told = {};  // as the log has it
    // What its sessions were told last.
    routing::server_role evicted_as = routing::server_role::unknown;
    bool evicted_all = false;
    routing::moment evicted_at = {};
  };
  struct wanted_endpoint {
    std::string name;
    config::address address;
    name_watch* from = nullptr;
    std::vector<net::socket_address> addresses = {};
    bool resolved = true;
    std::string zone = {};
    bool ready = true;
    bool leaving = false;
  };

  // cluster_listener: any thread
  void suspected(routing::endpoint_id which) override;
  void role_seen(routing::endpoint_id which, bool in_recovery) override;
  void wanted() override;
  // endpoint_watch_owner
  void endpoint_changed(endpoint_watch& which) override;
  bool in_a_hurry() const override;

  void post(std::move_only_function<void(cluster_watch&)> work);
  void hurry();
  void learn(routing::endpoint_id which, bool in_recovery);
  void ask(routing::endpoint_id which);

  void listen_to(std::shared_ptr<endpoint_feed> feed);
  bool all_answered() const;
  void add_found(std::vector<wanted_endpoint>& to) const;
  name_watch& names_of(name_watch::question asked);
  void forget_names();
  std::vector<wanted_endpoint> wanted_endpoints();
  void add_wanted(std::vector<wanted_endpoint>& to, std::string host, std::uint16_t port);
  void reconcile();
  void look_again();
  std::shared_ptr<cluster_view> make_view();
  routing::endpoint describe(const entry& from) const;
  void tell_changes(const cluster_view& view);
  void tell_endpoint(const routing::endpoint& before, const routing::endpoint& after);
  void tell_primary(const cluster_view& view);
  void spread_state(const routing::endpoint& before, const routing::endpoint& after) const;
  void spread(upstream_news::event what, const std::string& endpoint, const std::string& said) const;
  void tell_discovery();
  void tell_hold();
  entry* find(routing::endpoint_id which);
  void close(entry& which, bool closed);
  std::uint32_t at_work() const;
  void begin(runtime::task<result<std::string>> what, answer done);
  void operation_over();
  void set_switching(routing::endpoint_id from, bool on);
  static runtime::task<> wait_a_moment(cluster_watch* self);
  static runtime::task<bool> wait_for_rest(cluster_watch* self, routing::moment until);
  static runtime::task<std::string> tell_position(cluster_watch* self);
  static runtime::task<result<std::string>> wait_until_paused(cluster_watch* self);
  static runtime::task<result<std::string>> go_over(cluster_watch* self, routing::endpoint_id from,
                                                    routing::endpoint_id to, runtime::duration within);
  static runtime::task<result<>> prepare_and_promote(cluster_watch* self, routing::endpoint_id from,
                                                     routing::endpoint_id to, routing::moment until);
  static runtime::task<result<>> wait_for_primary(cluster_watch* self, routing::endpoint_id to,
                                                  routing::moment until);

  void evict();
  void evict_from(entry& from);
  bool drop_left();

  const watch_services with_;
  const std::shared_ptr<cluster> cluster_;
  std::shared_ptr<const watch_setup> setup_;
  std::vector<std::unique_ptr<name_watch>> names_;
  std::shared_ptr<endpoint_feed> feed_;  // may be null
  std::vector<entry> entries_;
  role_judge judge_;
  runtime::deferred dirty_;
  runtime::timer sweep_;       // sessions that are still where they should not be
  runtime::timer hold_watch_;  // sessions that wait for a server
  runtime::signal operation_changed_;
  runtime::deferred operation_done_;
  runtime::task<result<std::string>> operation_;  // one at a time
  answer operation_answer_;
  std::shared_ptr<cluster_watch*> self_;  // null inside once it is gone: what was posted comes too late
  routing::moment hurry_until_{};
  routing::endpoint_id next_id_ = 1;
  std::uint64_t generation_ = 0;
  std::uint64_t forgotten_failures_ = 0;  // of names that are looked up no more
  bool too_many_told_ = false;
  bool paused_ = false;
  bool switching_ = false;
  bool retired_ = false;
  std::optional<routing::moment> holding_since_;
  std::uint64_t holds_before_ = 0;
  std::string conflict_told_;
  std::string problem_told_;
  routing::endpoint_id primary_told_ = 0;
  std::optional<routing::moment> primary_lost_;
};

}  // namespace trunkline::pool
