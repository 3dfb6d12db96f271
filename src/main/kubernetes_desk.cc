#include "main/kubernetes_desk.h"

#include <utility>

#include "main/replica_number.h"

namespace trunkline::main {

kubernetes_desk::kubernetes_desk(telemetry::logger& log) : events_(asker(), log) {}

std::function<void(k8s::api_question, k8s::api_reply)> kubernetes_desk::asker() {
  return
      [this](k8s::api_question what, k8s::api_reply told) { client_.ask(std::move(what), std::move(told)); };
}

k8s::watch_starter kubernetes_desk::watcher() {
  return [this](k8s::collection of, std::shared_ptr<k8s::object_sink> sink) {
    return client_.watch(std::move(of), std::move(sink));
  };
}

void kubernetes_desk::configure(const config::kubernetes_access& access,
                                const config::kubernetes_presence& presence) {
  client_.configure(access);
  const bool posts = presence.events && (presence.objects || presence.requests);
  events_.configure(posts ? presence.gateway : "", own_host_name());
}

}  // namespace trunkline::main
