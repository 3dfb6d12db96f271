// For the tests of this room: a gateway that says what a test has put into it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "config/load.h"
#include "session/observer.h"

namespace trunkline::admin {

class fake_observer final : public session::observer {
 public:
  fake_observer() {
    for (int i = 0; i < 2; ++i)
      worker_list.push_back(std::make_unique<telemetry::worker_metrics>());
    route_list.push_back(std::make_unique<telemetry::route_metrics>());
    route_list.back()->route = "app";
    route_list.back()->upstream = "db";
    beat();
    config::load_options options;
    options.check_files = false;
    options.environment = [](const std::string&) { return std::string("hunter2"); };
    const auto made = config::load_text(
        "listeners: [{name: main, address: 'unix:/run/t'}]\n"
        "routes: [{name: app, upstream: db, auth: {method: scram},\n"
        "          credentials: {user: u, password: '${PASSWORD}'}}]\n"
        "upstreams: [{name: db, endpoints: ['db.example.org:5432']}]\nadmin: {}\n",
        "t.yaml", options);
    current = made.value;
  }

  /// All loops turn now.
  void beat() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    for (auto& each : worker_list)
      each->heartbeat_ns = std::chrono::nanoseconds(now).count();
  }

  session::sessions_view sessions() override {
    ++asked;
    while (hold)
      hold.wait(true);
    return {session_list, {}, complete};
  }
  session::exchanges_view exchanges() override { return exchange_lists; }
  std::vector<const telemetry::route_metrics*> routes() override {
    std::vector<const telemetry::route_metrics*> all;
    for (const auto& each : route_list)
      all.push_back(each.get());
    return all;
  }
  std::vector<const telemetry::worker_metrics*> workers() override {
    std::vector<const telemetry::worker_metrics*> all;
    for (const auto& each : worker_list)
      all.push_back(each.get());
    return all;
  }
  config::snapshot settings() override { return current; }
  std::vector<session::upstream_view> upstreams() override { return upstream_list; }
  std::vector<session::pool_view> pools() override { return pool_list; }
  std::vector<session::prepared_view> prepared() override { return prepared_list; }
  std::vector<const telemetry::pool_metrics*> pool_counts() override {
    std::vector<const telemetry::pool_metrics*> all;
    for (const auto& each : pool_count_list)
      all.push_back(each.get());
    return all;
  }
  session::audit_view audit() override { return audit_state; }
  std::vector<session::certificate_view> certificates() override { return certificate_list; }
  std::chrono::system_clock::time_point started() const override { return begun; }
  bool draining() const override { return is_draining; }
  bool ready() const override { return is_ready; }
  std::uint64_t config_reload_failures() const override { return 3; }
  std::uint64_t not_postgres() const override { return 7; }
  std::vector<std::pair<std::string, std::uint64_t>> cancels() override { return {{"forwarded", 2}}; }

  std::vector<session::session_view> session_list;
  bool complete = true;
  session::exchanges_view exchange_lists;
  std::vector<std::unique_ptr<telemetry::route_metrics>> route_list;
  std::vector<std::unique_ptr<telemetry::worker_metrics>> worker_list;
  config::snapshot current;
  std::vector<session::upstream_view> upstream_list;
  std::vector<session::pool_view> pool_list;
  std::vector<session::prepared_view> prepared_list;
  std::vector<std::unique_ptr<telemetry::pool_metrics>> pool_count_list;
  session::audit_view audit_state;
  std::vector<session::certificate_view> certificate_list;
  std::chrono::system_clock::time_point begun = std::chrono::system_clock::now();
  std::atomic<bool> is_draining = false;
  std::atomic<bool> is_ready = true;
  std::atomic<int> asked = 0;
  std::atomic<bool> hold = false;  ///< `sessions` waits while it is set
};

}  // namespace trunkline::admin
