// The client of the Kubernetes API: a thread of its own on which collections are listed and watched, off
// every worker's loop. One API server, as the configuration says; when that changes, everything is listed
// there anew, and what sinks were told stays until it has answered. Owner: main, which stops it before
// whatever sinks tell. Everything is for any thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "http/exchanges.h"
#include "k8s/api_access.h"
#include "k8s/collection_watch.h"
#include "runtime/owned_thread.h"

namespace trunkline::k8s {

class api_client {
 public:
  /// The thread begins with the first watch.
  explicit api_client(environment from = environment_variable);
  api_client(const api_client&) = delete;
  api_client& operator=(const api_client&) = delete;
  ~api_client();

  void configure(config::kubernetes_access how);
  /// Until what it returns is dropped; the sink may still be called for a moment then.
  std::shared_ptr<const void> watch(collection of, std::shared_ptr<object_sink> sink);
  void stop();

 private:
  class watcher;
  using command = std::move_only_function<void()>;

  void post(command what);
  void serve();
  bool do_commands();
  /// When there is something to do next.
  moment begin_what_is_due(moment now);

  const environment from_;
  std::mutex mutex_;
  std::vector<command> commands_;
  bool stopping_ = false;
  std::mutex start_mutex_;

  // The thread's own:
  config::kubernetes_access how_;
  http::exchanges exchanges_;
  std::list<std::unique_ptr<watcher>> watchers_;
  runtime::owned_thread thread_;  // last: it uses the others
};

}  // namespace trunkline::k8s
