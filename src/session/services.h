// What all workers of a process share. Built by main, outlives the workers; each member is safe for any
// thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "auth/key_cache.h"
#include "runtime/work_pool.h"
#include "session/admission.h"
#include "session/cancel_registry.h"
#include "telemetry/logger.h"

namespace trunkline::session {

struct services {
  telemetry::logger& log;
  runtime::work_pool& work;
  auth::key_cache& keys;
  cancel_registry& cancels;
  admission& admissions;
  /// Makes the salts of users that do not exist stable and unguessable.
  const std::array<std::byte, 32>& fake_salt_secret;
  std::atomic<std::uint64_t> next_session{1};
  /// Connections that were not Postgres at all: counted, not logged one by one.
  std::atomic<std::uint64_t> not_postgres{0};
  /// New sessions are refused; cancel requests are still served (wire.md 5).
  std::atomic<bool> draining{false};
};

}  // namespace trunkline::session
