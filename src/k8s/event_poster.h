// Events on objects of Kubernetes (API events.k8s.io/v1), for whoever looks at them with kubectl. Best
// effort: nobody waits for one, one that cannot be posted is lost, and the log says so once. Owner: main. Any
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "k8s/api_question.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

/// The object that an event is about.
struct event_subject {
  std::string api_version = {};
  std::string kind = {};
  std::string name_space = {};
  std::string name = {};
  std::string uid = {};
};

struct event_note {
  event_subject about;
  bool warning = false;
  std::string reason;  ///< one word for machines: "Conflicted"
  std::string action;  ///< what was done or tried, one word: "Accept"
  std::string text;    ///< for a human; no secret
};

class event_poster {
 public:
  using moment = std::chrono::steady_clock::time_point;
  /// As `api_client::ask`.
  using asker = std::function<void(api_question, api_reply)>;

  /// Posts nothing until it is told who posts. `log` outlives whatever `ask` answers.
  event_poster(asker ask, telemetry::logger& log);

  /// `gateway`: the name that replicas share; `instance`: which of them this is. Without a name nothing is
  /// posted.
  void configure(const std::string& gateway, const std::string& instance);
  /// Posts it, unless the same was posted lately, or too much was.
  void post(event_note what, moment now = std::chrono::steady_clock::now());

 private:
  struct state;

  const asker ask_;
  const std::shared_ptr<state> state_;  // answers may come when this is gone
};

}  // namespace trunkline::k8s
