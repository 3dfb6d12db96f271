// How the connections of a pool are made: everything that an attempt needs, as the newest configuration says.
// Immutable but for what it points to. Any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/key_cache.h"
#include "config/settings.h"
#include "pool/cluster.h"
#include "pool/connect.h"
#include "pool/server_login.h"
#include "runtime/work_pool.h"
#include "telemetry/logger.h"

namespace trunkline::pool {

struct link_source {
  std::shared_ptr<const void> keeps;  ///< what the pointers point into
  const config::upstream* upstream = nullptr;
  const tls::client_context* tls = nullptr;
  net::socket_options options = {};
  std::shared_ptr<cluster> of;
  std::string zone;
  config::route_target target = config::route_target::primary;
  config::pooling_mode mode = config::pooling_mode::transaction;  ///< of the route that asked last
  loop_guard* guard = nullptr;
  runtime::work_pool* work = nullptr;
  auth::key_cache* keys = nullptr;
  std::vector<std::byte> startup_packet;
  server_secret secret;
  telemetry::logger* log = nullptr;
};

}  // namespace trunkline::pool
