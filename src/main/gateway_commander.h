// The console's commands, carried out on the threads whose affair they are: the servers' watch, the workers,
// the control thread. Owner: the gateway; any thread but those.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "main/control_requests.h"
#include "pool/watch_room.h"
#include "session/commander.h"
#include "session/worker.h"

namespace trunkline::main {

class gateway;

class gateway_commander final : public session::commander {
 public:
  gateway_commander(gateway& of, control_requests& control) : gateway_(of), control_(control) {}

  // `upstream`: its name, or that of a database, which stands for the upstreams that it leads to.
  result<std::string> pause(const std::string& upstream) override;
  result<std::string> resume(const std::string& upstream) override;
  result<std::string> reconnect(const std::string& upstream) override;
  result<std::string> switch_over(const std::string& upstream, const std::string& endpoint,
                                  std::chrono::milliseconds within) override;
  result<> disable(const std::string& database) override;
  result<> enable(const std::string& database) override;
  result<std::string> kill(const std::string& database) override;
  result<std::string> wait_close(const std::string& database) override;
  result<> kill_client(std::uint64_t id) override;
  result<> reload() override;
  result<> set(const std::string& key, const std::string& value) override;
  result<> shut_down(shutdown how) override;

 private:
  using act = std::function<void(pool::cluster_watch&, pool::cluster_watch::answer)>;
  using names = std::vector<std::string>;

  /// What a command is about.
  struct meaning {
    names upstreams;
    bool is_database = false;  ///< a route names it; else it is an upstream's name, or all of them
  };

  result<meaning> meaning_of(const std::string& name) const;
  result<> check_database(const std::string& database) const;
  /// The answer is still to come.
  std::future<result<std::string>> begin(const std::string& upstream, const act& what);
  static result<std::string> await(std::future<result<std::string>> answer,
                                   std::chrono::milliseconds at_most);
  result<std::string> on(const names& upstreams, std::chrono::milliseconds at_most, const act& what);
  result<std::size_t> end_sessions(const session::session_kill& which);

  gateway& gateway_;
  control_requests& control_;
  std::mutex mutex_;
  /// Of each upstream, the last RECONNECT.
  std::map<std::string, std::chrono::system_clock::time_point> reconnected_;
};

}  // namespace trunkline::main
