// What all checks of one path share. Owner: one loop thread; outlives whatever is under way on it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "auth/key_cache.h"
#include "client/conninfo.h"
#include "doctor/facts.h"
#include "net/socket_address.h"
#include "runtime/loop.h"
#include "runtime/work_pool.h"
#include "tls/client_context.h"

namespace trunkline::doctor {

struct settings {
  std::chrono::seconds idle{0};        ///< the longest rung of the idle ladder; 0: it is not climbed
  std::chrono::seconds watch{0};       ///< how long the canary sings; 0: it does not
  std::string gateway_url = {};        ///< of a trunkline's admin address; empty: it is not asked
  std::vector<std::string> only = {};  ///< checks by id, and those that they build on; empty: all
  std::size_t logins = 50;             ///< at once, at most; 1 to limits::doctor_logins
};

struct examination {
  runtime::loop* where = nullptr;
  runtime::work_pool* work = nullptr;  ///< for PBKDF2
  auth::key_cache* keys = nullptr;
  const settings* how = nullptr;
  const client::conninfo* dsn = nullptr;
  std::shared_ptr<const tls::client_context> tls = nullptr;      ///< as sslmode wants; null: disable
  std::shared_ptr<const tls::client_context> any_tls = nullptr;  ///< takes every certificate
  std::string label = {};                                        ///< of the path, where there are several
  std::string run = {};  ///< tells this process's sessions from all others: "trunkline doctor 3f2a…"

  client::server_address server = {};               ///< the one that is examined
  std::vector<net::socket_address> addresses = {};  ///< of it, in the order of RFC 6724
  net::socket_address target = {};                  ///< the first one that accepted
  facts known = {};

  const std::string& host() const { return server.host; }
};

}  // namespace trunkline::doctor
