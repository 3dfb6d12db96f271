// The gateway of one process: every shared object, the workers, the listening sockets, and the change from
// one configuration to the next. Owner: `serve`; all calls on its thread.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "audit/pipeline.h"
#include "base/result.h"
#include "console/desk.h"
#include "identity/desk.h"
#include "k8s/discovery.h"
#include "k8s/event_poster.h"
#include "main/access_control.h"
#include "main/gateway_commander.h"
#include "main/inheritance.h"
#include "main/process_parts.h"
#include "pool/watch_room.h"
#include "runtime/unique_fd.h"
#include "session/observer.h"
#include "session/peer_watch.h"
#include "session/role_keeper.h"
#include "session/services.h"
#include "session/worker.h"

namespace trunkline::main {

class gateway {
 public:
  /// What the console wants of the control thread goes to `control`. What `inherited` has is taken rather
  /// than opened. All outlive the gateway.
  gateway(process_parts& parts, inheritance& inherited, control_requests& control);
  ~gateway();

  /// Opens the listeners of `settings` and starts the workers. Once.
  result<> start(const config::snapshot& settings);
  /// Replaces the configuration; sessions keep the one they began with. On an error nothing has changed.
  result<> reload(const config::snapshot& settings);
  /// About once a second: session ticket keys rotate, and what has become of the audit is logged.
  void tick(runtime::time_point now);
  /// A Secret that the configuration refers to holds something else now: it wants to be reloaded. Once.
  bool secrets_changed() { return discovery_.secrets_changed(); }

  /// Readiness goes off; nothing else changes yet.
  void announce_drain() { leaving_.store(true); }
  /// New sessions are refused; those that are there end as they come to rest, many of them not at once.
  void drain(std::chrono::milliseconds grace);
  /// What another process can take over; the descriptors stay this one's.
  std::vector<handed_socket> sockets_to_hand_over() const;
  /// Another process has taken over: it accepts from now on, and sends cancel requests through `link`.
  /// Sessions, and logins that have begun, go on.
  void hand_over(runtime::unique_fd link);
  /// Listeners close, and logins that come all the same are refused; sessions go on.
  void close_listeners();
  /// Ends what is left and waits for the workers.
  void stop();
  std::size_t sessions() const;
  std::size_t worker_count() const { return workers_.size(); }
  /// Between `start` and `stop`; for those who look.
  std::span<const std::unique_ptr<session::worker>> workers() const { return workers_; }
  /// What new sessions begin with. Any thread, as everything up to `cancels`.
  std::shared_ptr<const session::deployment> current() const;
  bool draining() const { return leaving_.load() || services_->draining.load(std::memory_order_relaxed); }
  bool listens() const { return listens_.load(std::memory_order_relaxed); }
  /// A reload that came to nothing, with why: counted, and on record.
  void reload_failed(const std::string& problem);
  std::uint64_t reload_failures() const { return reload_failures_.load(std::memory_order_relaxed); }
  session::audit_view audit_state() const;
  /// Requests for access, and who may use the API.
  access_control& access() { return access_; }
  session::access_view access_seen() const;
  /// The servers of all upstreams, and what may be done with them.
  pool::watch_room& servers() { return servers_; }
  pool::link_pools& pools() { return *pools_; }
  session::database_gate& databases() { return services_->databases; }
  /// PAUSE and RESUME of all upstreams, without waiting.
  void pause_all();
  void resume_all();
  std::vector<std::pair<std::string, std::uint64_t>> cancels() const;
  std::vector<std::pair<std::string, std::uint64_t>> rbac_reviews() const;
  std::uint64_t not_postgres() const { return services_->not_postgres.load(); }
  /// "name address" of each open listener, the port filled in where the kernel chose it.
  std::vector<std::string> listening() const;

 private:
  struct socket_entry {
    config::address address;
    std::shared_ptr<runtime::unique_fd> fd;
  };
  using sockets = std::map<std::string, socket_entry>;

  result<> open_sockets(const session::deployment& setup, sockets& into);
  result<> replace(const config::snapshot& settings);
  result<std::shared_ptr<const session::deployment>> deploy(const config::snapshot& settings);
  void publish(std::shared_ptr<const session::deployment> setup);
  void evict(const pool::eviction& why);
  void hold(const std::shared_ptr<const pool::member>& of);
  void tell_reload(bool ok, const std::string& problem);
  void tell(decltype(audit::rare_event::what) what);
  void tell_role(session::role_event what, const session::ephemeral_role& role);
  void watch_audit();
  void identify(const config::settings& settings);

  process_parts& parts_;
  telemetry::logger& log_;
  inheritance& inherited_;
  std::array<std::byte, 32> key_cache_secret_;
  std::array<std::byte, 32> fake_salt_secret_;
  session::cancel_mac_key cancel_secret_;
  std::uint16_t replica_number_;  // where nothing else tells it
  auth::key_cache keys_;
  session::cancel_registry cancels_;
  session::replica_desk replicas_;
  session::admission admissions_;
  pool::loop_guard loops_;
  std::shared_ptr<tls::ticket_keys> tickets_;
  runtime::time_point tickets_rotated_;
  runtime::work_pool work_;
  runtime::work_pool lookups_;
  audit::pipeline audit_;
  audit::audit_state audit_told_;  // as the log has it
  std::mutex own_tap_mutex_;
  audit::tap& own_tap_;  // for what no worker has to tell; one thread at a time
  identity::desk tokens_;
  access_control access_;  // before the workers: their sessions hold on to it
  session::role_keeper roles_;
  pool::watch_room servers_;  // before the workers: sessions tell it what they see
  k8s::discovery discovery_;  // after them: it tells them what it finds
  session::peer_watch peers_;
  gateway_commander commander_;
  std::unique_ptr<session::services> services_;
  std::unique_ptr<pool::link_pools> pools_;  ///< its shelves are emptied by the workers
  std::unique_ptr<session::observer> for_console_;
  std::unique_ptr<console::desk> console_;
  sockets sockets_;
  std::vector<std::unique_ptr<session::worker>> workers_;
  mutable std::mutex current_mutex_;
  std::shared_ptr<const session::deployment> current_;
  /// So that it is not a worker's loop that takes one down: with a thousand routes that takes a while.
  std::vector<std::shared_ptr<const session::deployment>> retired_;
  std::atomic<bool> listens_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<std::uint64_t> reload_failures_{0};
};

}  // namespace trunkline::main
