// The objects that are configuration, as the API server last had them: PostgresUpstream, PostgresRoute and
// AccessPolicy of the namespaces that are watched. What is known stays through every failure. Owner: main;
// any thread may read.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/kubernetes.h"
#include "config/objects.h"
#include "k8s/watch_starter.h"
#include "telemetry/logger.h"

namespace trunkline::k8s {

/// Immutable once made.
struct known_object {
  config::config_object what;
  std::string unreadable;  ///< why `what.spec` is empty; usually empty itself
  std::string resource_version;
  json conditions;   ///< of its status, as they are
  std::string text;  ///< of its spec: tells one from another
};
using known_object_ptr = std::shared_ptr<const known_object>;

inline constexpr const char* object_version = "trunkline.dev/v1alpha1";
/// "/apis/trunkline.dev/v1alpha1/namespaces/NS/postgresroutes"; of all namespaces without one.
std::string path_of(config::object_kind kind, const std::string& name_space);

/// What is known of one kind.
struct kind_state {
  config::object_kind kind = config::object_kind::route;
  std::size_t objects = 0;
  std::optional<moment>
      confirmed;        ///< that all is as it is known, by the slowest of its watches; nothing: not yet
  std::string problem;  ///< empty: none
};

class object_feed {
 public:
  /// `changed` is called on the client's thread when something is to be read anew; it must not wait. `log`
  /// outlives all watches.
  object_feed(watch_starter watch, telemetry::logger& log, std::function<void()> changed);
  ~object_feed();

  /// Watches these, and from now on nothing else; nothing: none at all. `own` is where no namespace is named.
  void configure(const std::optional<config::kubernetes_objects>& what, const std::string& own);
  /// For the first answers, good or bad, but no longer than this. False: some have not come.
  bool wait_for_first(std::chrono::milliseconds at_most) const;
  /// By kind, namespace and name.
  std::vector<known_object_ptr> now() const;
  /// Null: there is none.
  known_object_ptr find(config::object_kind kind, const std::string& name_space,
                        const std::string& name) const;
  /// Empty where none are watched.
  std::vector<kind_state> states() const;

 private:
  struct store;
  class sink;

  const watch_starter watch_;
  const std::shared_ptr<store> store_;
  std::optional<config::kubernetes_objects> wanted_;
  std::string own_;
  std::vector<std::shared_ptr<sink>> sinks_;
  std::vector<std::shared_ptr<const void>> watches_;
};

}  // namespace trunkline::k8s
