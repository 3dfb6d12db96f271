// Which of the replicas does what only one of them may do: a Lease (API coordination.k8s.io/v1), taken, kept
// and given back as client-go's leader election does. Nobody's clock is trusted but one's own: a lease that
// somebody else holds is over when it has not changed for its time as seen from here. Owner: main. Any
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "k8s/api_question.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

class lease {
 public:
  using moment = std::chrono::steady_clock::time_point;
  using asker = std::function<void(api_question, api_reply)>;
  using clock = std::function<moment()>;

  /// `log` outlives whatever `ask` answers. `identity` is this process's and nobody else's.
  lease(
      asker ask, telemetry::logger& log, std::string identity,
      clock now = [] { return std::chrono::steady_clock::now(); });

  /// Which one; an empty name: none, and one that is held runs out.
  void configure(const std::string& name_space, const std::string& name);
  /// About once a second: takes it, keeps it, or looks who has it. Never waits.
  void tick();
  /// It is ours, and nobody else can have taken it yet.
  bool is_held() const;
  /// Who has it, as the API server last said; empty: nobody, or not known.
  std::string holder() const;
  /// At the end: somebody else may have it at once. Waits for the answer, but no longer than this.
  void release(std::chrono::milliseconds at_most);

 private:
  struct state;

  const asker ask_;
  const std::shared_ptr<state> state_;  // answers may come when this is gone
};

}  // namespace trunkline::k8s
