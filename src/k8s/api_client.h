// The client of the Kubernetes API: a thread of its own on which collections are listed and watched, off
// every worker's loop, and single questions are asked. One API server, as the configuration says; when that
// changes, everything is listed there anew, and what sinks were told stays until it has answered. Owner:
// main, which stops it before whatever sinks tell. Everything is for any thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "http/exchanges.h"
#include "k8s/api_access.h"
#include "k8s/api_question.h"
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
  /// Asked once, whatever comes of it. `told` is called once, on the client's thread, within
  /// limits::k8s_ask_timeout, or before `stop` returns; it may ask again, and must not wait.
  void ask(api_question what, api_reply told);
  /// The same for a thread that may wait; not the client's.
  api_answer ask_and_wait(api_question what);
  /// Whoever asks from now on hears at once that it is over.
  void stop();

 private:
  class watcher;
  class errand;
  using command = std::move_only_function<void()>;

  void post(command what);
  void start_thread();
  void begin(api_question what, api_reply told);
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
  std::list<std::unique_ptr<errand>> errands_;
  runtime::owned_thread thread_;  // last: it uses the others
};

}  // namespace trunkline::k8s
