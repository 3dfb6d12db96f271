// The thread from which all upstreams are watched: a loop of its own, so that no worker waits for a name or a
// health check and none of these waits for a worker. Built by main; outlives the workers' threads.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pool/cluster_watch.h"
#include "runtime/loop.h"
#include "runtime/owned_thread.h"

namespace trunkline::pool {

class watch_room {
 public:
  /// `with.loop` is filled in.
  watch_room(std::unique_ptr<runtime::loop> loop, watch_services with);
  watch_room(const watch_room&) = delete;
  watch_room& operator=(const watch_room&) = delete;
  ~watch_room();

  void start();
  /// Ends the watches and the thread.
  void stop();

  // Any thread:
  /// The servers of the upstream of that name; made at the first asking, the same one ever after.
  std::shared_ptr<cluster> of(const std::string& upstream);
  /// Watches these upstreams and no others.
  void configure(std::vector<std::shared_ptr<const watch_setup>> setups);
  /// Does something to one watch on its thread. False: there is no such upstream.
  bool with(const std::string& upstream, std::move_only_function<void(cluster_watch&)> work);
  std::vector<std::shared_ptr<cluster>> all() const;

 private:
  void apply(std::vector<std::shared_ptr<const watch_setup>> setups);

  std::unique_ptr<runtime::loop> loop_;
  watch_services with_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<cluster>> clusters_;
  std::map<std::string, std::unique_ptr<cluster_watch>> watches_;  // the thread's own
  std::vector<std::unique_ptr<cluster_watch>> retired_;
  runtime::owned_thread thread_;
};

}  // namespace trunkline::pool
