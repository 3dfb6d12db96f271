// What this process has of the Kubernetes API: one client for all who ask it, and who posts events. Owner:
// the command; outlives the gateway, which stops the client.
#pragma once

#include <functional>
#include <string>

#include "config/settings.h"
#include "k8s/api_client.h"
#include "k8s/event_poster.h"
#include "k8s/watch_starter.h"
#include "telemetry/logger.h"

namespace trunkline::main {

class kubernetes_desk {
 public:
  /// `log` outlives it.
  explicit kubernetes_desk(telemetry::logger& log);

  k8s::api_client& client() { return client_; }
  k8s::event_poster& events() { return events_; }
  /// For those who ask, but need not know whom.
  std::function<void(k8s::api_question, k8s::api_reply)> asker();
  k8s::watch_starter watcher();
  /// How the API server is reached, and as whom events are posted. Control thread.
  void configure(const config::kubernetes_access& access, const config::kubernetes_presence& presence);

 private:
  k8s::api_client client_;
  k8s::event_poster events_;
};

}  // namespace trunkline::main
