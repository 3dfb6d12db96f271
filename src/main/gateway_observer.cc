#include "main/gateway_observer.h"

#include <algorithm>
#include <condition_variable>
#include <iterator>
#include <memory>
#include <mutex>
#include <utility>

#include "base/limits.h"

namespace trunkline::main {
namespace {

/// What the workers bring; lives as long as the slowest of them, whoever asked may be gone by then.
struct collection {
  std::mutex mutex;
  std::condition_variable changed;
  session::sessions_view seen;
  std::size_t missing = 0;
};

template <class Each>
void append(std::vector<Each>& to, std::vector<Each> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

gateway_observer::gateway_observer(gateway& of) : gateway_(of), started_(std::chrono::system_clock::now()) {}

session::sessions_view gateway_observer::sessions() {
  auto collected = std::make_shared<collection>();
  collected->missing = gateway_.workers().size();
  for (const auto& each : gateway_.workers()) {
    each->look([collected](session::sessions_view some) {
      std::lock_guard lock(collected->mutex);
      append(collected->seen.sessions, std::move(some.sessions));
      append(collected->seen.spare, std::move(some.spare));
      --collected->missing;
      collected->changed.notify_one();
    });
  }
  std::unique_lock lock(collected->mutex);
  collected->seen.complete =
      collected->changed.wait_for(lock, limits::observe_timeout, [&] { return collected->missing == 0; });
  return std::move(collected->seen);
}

session::exchanges_view gateway_observer::exchanges() {
  session::exchanges_view all;
  for (const auto& each : gateway_.workers()) {
    append(all.slowest, each->seen().recorder().slowest());
    append(all.failed, each->seen().recorder().failed());
  }
  std::stable_sort(all.slowest.begin(), all.slowest.end(),
                   [](const auto& a, const auto& b) { return a.facts.total > b.facts.total; });
  std::stable_sort(all.failed.begin(), all.failed.end(),
                   [](const auto& a, const auto& b) { return a.began > b.began; });
  return all;
}

std::vector<const telemetry::route_metrics*> gateway_observer::routes() {
  std::vector<const telemetry::route_metrics*> all;
  for (const auto& each : gateway_.workers()) {
    const auto some = each->seen().routes();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<const telemetry::worker_metrics*> gateway_observer::workers() {
  std::vector<const telemetry::worker_metrics*> all;
  for (const auto& each : gateway_.workers())
    all.push_back(&each->seen().metrics());
  return all;
}

config::snapshot gateway_observer::settings() {
  return gateway_.current()->settings;
}

std::vector<session::upstream_view> gateway_observer::upstreams() {
  const auto now = std::chrono::steady_clock::now();
  std::vector<session::upstream_view> all;
  for (const auto& each : gateway_.servers().all())
    all.push_back(session::view_of(*each, now));
  return all;
}

std::vector<session::pool_view> gateway_observer::pools() {
  std::vector<session::pool_view> all;
  for (const auto& each : gateway_.pools().all())
    all.push_back(session::view_of(*each));
  return all;
}

std::vector<session::prepared_view> gateway_observer::prepared() {
  return session::view_of(gateway_.pools().statements());
}

std::vector<const telemetry::pool_metrics*> gateway_observer::pool_counts() {
  return gateway_.pools().counts();
}

bool gateway_observer::disabled(const std::string& database) {
  return !gateway_.databases().lets_in(database);
}

session::audit_view gateway_observer::audit() {
  return gateway_.audit_state();
}

session::access_view gateway_observer::access() {
  return gateway_.access_seen();
}

std::vector<session::certificate_view> gateway_observer::certificates() {
  const auto setup = gateway_.current();
  std::vector<session::certificate_view> all;
  for (std::size_t i = 0; i < setup->listener_tls.size(); ++i) {
    if (setup->listener_tls[i] == nullptr) continue;
    for (const auto& each : setup->listener_tls[i]->certificates())
      all.push_back({setup->settings->listeners[i].name, each.facts.subject, each.facts.not_after});
  }
  return all;
}

bool gateway_observer::draining() const {
  return gateway_.draining();
}

bool gateway_observer::ready() const {
  return gateway_.listens() && !gateway_.draining();
}

std::uint64_t gateway_observer::config_reload_failures() const {
  return gateway_.reload_failures();
}

std::uint64_t gateway_observer::not_postgres() const {
  return gateway_.not_postgres();
}

std::vector<std::pair<std::string, std::uint64_t>> gateway_observer::cancels() {
  return gateway_.cancels();
}

std::vector<std::pair<std::string, std::uint64_t>> gateway_observer::rbac_reviews() {
  return gateway_.rbac_reviews();
}

}  // namespace trunkline::main
