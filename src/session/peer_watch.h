// Where the other replicas are: fills a peer_table from the configuration, and from names as their answers
// change. It has a thread and a loop of its own, so that no worker waits for a name and no name for a worker.
// Built by main; `configure` from any thread.
#pragma once

#include <memory>
#include <vector>

#include "config/settings.h"
#include "pool/name_watch.h"
#include "runtime/loop.h"
#include "runtime/owned_thread.h"
#include "runtime/work_pool.h"
#include "session/peer_table.h"
#include "telemetry/logger.h"

namespace trunkline::session {

class peer_watch {
 public:
  /// All outlive it; look-ups run in `work`.
  peer_watch(std::unique_ptr<runtime::loop> loop, runtime::work_pool& work, peer_table& into,
             telemetry::logger& log);
  peer_watch(const peer_watch&) = delete;
  peer_watch& operator=(const peer_watch&) = delete;
  ~peer_watch();

  /// The thread begins with the first configuration that has a peer.
  void configure(const config::replicas& all);
  /// Ends the watches and the thread.
  void stop();

 private:
  struct source {
    std::shared_ptr<const config::address> named;  ///< whom a certificate must be for
    std::unique_ptr<pool::name_watch> names;       ///< null: an address
  };
  void apply(const config::replicas& all);
  void watch(const config::address& named, const std::string& resolver);
  void publish();

  std::unique_ptr<runtime::loop> loop_;
  runtime::work_pool& work_;
  peer_table& table_;
  telemetry::logger& log_;
  config::replicas current_;       // the thread's own
  std::vector<source> sources_;    // the thread's own
  std::vector<std::string> told_;  // what went wrong with names, as the log has it
  runtime::owned_thread thread_;
};

}  // namespace trunkline::session
