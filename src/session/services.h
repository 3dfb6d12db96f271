// What all workers of a process share. Built by main, outlives the workers; each member is safe for any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "auth/key_cache.h"
#include "pool/link_pool.h"
#include "pool/loop_guard.h"
#include "runtime/work_pool.h"
#include "session/admission.h"
#include "session/cancel_link.h"
#include "session/cancel_registry.h"
#include "session/cancel_result.h"
#include "session/console_desk.h"
#include "session/database_gate.h"
#include "session/grant_desk.h"
#include "session/login_guard.h"
#include "session/replica_desk.h"
#include "session/role_desk.h"
#include "telemetry/logger.h"

namespace trunkline::session {

struct services {
  telemetry::logger& log;
  runtime::work_pool& work;
  auth::key_cache& keys;
  cancel_registry& cancels;
  admission& admissions;
  pool::loop_guard& loops;
  pool::link_pools* pools = nullptr;  ///< set before the workers start
  /// Makes the salts of users that do not exist stable and unguessable.
  const std::array<std::byte, 32>& fake_salt_secret;
  std::atomic<std::uint64_t> next_session{1};
  /// Null: there is no console, whatever the configuration says.
  console_desk* console = nullptr;
  /// The process that this one took over from; null: there was none.
  const elder_link* elder = nullptr;
  /// The other gateways behind the same address; never null.
  replica_desk* replicas = nullptr;
  /// Connections that were not Postgres at all: counted, not logged one by one.
  std::atomic<std::uint64_t> not_postgres{0};
  /// CancelRequests by what became of them.
  cancel_counts cancel_requests{};
  /// Where approvals are asked for; null: nowhere, and whoever needs one is refused.
  grant_desk* grants = nullptr;
  /// Where grants have roles at servers; null: nowhere.
  role_desk* roles = nullptr;
  /// DISABLE and ENABLE.
  database_gate databases{};
  /// Who fails to log in too often waits.
  login_guard guesses{};
  /// New sessions are refused; cancel requests are still served (wire.md 5).
  std::atomic<bool> draining{false};
};

}  // namespace trunkline::session
