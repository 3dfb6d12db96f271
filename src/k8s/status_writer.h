// Tells each object what has become of it: the conditions Accepted and Programmed of its status, by a merge
// patch of the version that is known, only where they differ, and only as long as this replica is the one
// that writes. Paced; what fails is tried again later; one that is changed back by somebody else is left
// alone after some times. What became bad, or good again, is an event on the object too. Owner: main. Any
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "k8s/event_poster.h"
#include "k8s/object_feed.h"

namespace trunkline::k8s {

/// What an object is to be told.
struct object_fate {
  config::object_kind kind = config::object_kind::route;
  std::string name_space;
  std::string name;
  std::string uid;
  std::int64_t generation = 0;
  bool accepted = false;
  std::string reason;   ///< of Accepted
  std::string message;  ///< the same
  bool programmed = false;
  bool operator==(const object_fate&) const = default;
};

/// The conditions of `fate` beside others that stand in `now`; null where they are there already. When one of
/// them last changed is only changed with its status. `time` as `time_of` writes it.
json conditions_of(const object_fate& fate, const json& now, const std::string& time);

class status_writer {
 public:
  using asker = std::function<void(api_question, api_reply)>;
  /// The object as it is known now; null: it is gone.
  using finder = std::function<known_object_ptr(config::object_kind, const std::string&, const std::string&)>;

  using clock = std::function<moment()>;

  /// `log` and `events` outlive whatever `ask` answers.
  status_writer(
      asker ask, finder find, event_poster& events, telemetry::logger& log,
      clock now = [] { return std::chrono::steady_clock::now(); });

  /// From now on all objects are to be told this, and others nothing.
  void want(std::vector<object_fate> all);
  /// Goes on, as far as it may now. Now and then, at least once a second.
  void pump(bool leads);

 private:
  struct state;

  const std::shared_ptr<state> state_;  // answers may come when this is gone
};

}  // namespace trunkline::k8s
