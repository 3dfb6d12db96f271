// The running gateway as others may see it: asks the workers and adds up. Owner: `serve`; calls from any
// thread but a worker's. Destroyed, with all who use it, before the gateway stops.
#pragma once

#include "main/gateway.h"
#include "session/observer.h"

namespace trunkline::main {

class gateway_observer final : public session::observer {
 public:
  explicit gateway_observer(gateway& of);

  session::sessions_view sessions() override;
  session::exchanges_view exchanges() override;
  std::vector<const telemetry::route_metrics*> routes() override;
  std::vector<const telemetry::worker_metrics*> workers() override;
  config::snapshot settings() override;
  std::vector<session::upstream_view> upstreams() override;
  std::vector<session::pool_view> pools() override;
  std::vector<session::prepared_view> prepared() override;
  std::vector<const telemetry::pool_metrics*> pool_counts() override;
  bool disabled(const std::string& database) override;
  session::audit_view audit() override;
  session::access_view access() override;
  std::vector<session::certificate_view> certificates() override;
  std::chrono::system_clock::time_point started() const override { return started_; }
  bool draining() const override;
  bool ready() const override;
  std::uint64_t config_reload_failures() const override;
  std::uint64_t not_postgres() const override;
  std::vector<std::pair<std::string, std::uint64_t>> cancels() override;
  std::vector<std::pair<std::string, std::uint64_t>> rbac_reviews() override;

 private:
  gateway& gateway_;
  const std::chrono::system_clock::time_point started_;
};

}  // namespace trunkline::main
