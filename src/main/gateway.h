// The gateway of one process: every shared object, the workers, the listening sockets, and the change from
// one configuration to the next. Owner: `serve`; all calls on its thread.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/unique_fd.h"
#include "session/services.h"
#include "session/worker.h"

namespace trunkline::main {

class gateway {
 public:
  explicit gateway(telemetry::logger& log);
  ~gateway();

  /// Opens the listeners of `settings` and starts the workers. Once.
  result<> start(const config::snapshot& settings);
  /// Replaces the configuration; sessions keep the one they began with. On an error nothing has changed.
  result<> reload(const config::snapshot& settings);
  /// About once a second: session ticket keys rotate.
  void tick(runtime::time_point now);

  void drain();
  /// Ends what is left and waits for the workers.
  void stop();
  std::size_t sessions() const;
  std::size_t worker_count() const { return workers_.size(); }
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
  void publish(std::shared_ptr<const session::deployment> setup);

  telemetry::logger& log_;
  std::array<std::byte, 32> key_cache_secret_;
  std::array<std::byte, 32> fake_salt_secret_;
  session::cancel_mac_key cancel_secret_;
  auth::key_cache keys_;
  session::cancel_registry cancels_;
  session::admission admissions_;
  std::shared_ptr<tls::ticket_keys> tickets_;
  runtime::time_point tickets_rotated_;
  runtime::work_pool work_;
  std::unique_ptr<session::services> services_;
  sockets sockets_;
  std::vector<std::unique_ptr<session::worker>> workers_;
};

}  // namespace trunkline::main
