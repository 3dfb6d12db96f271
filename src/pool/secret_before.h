// The password that a change of the configuration has replaced: gateway and server do not learn of a new one
// in the same moment, so that for a while a login that is refused with the one is tried once with the other.
// Shared by all logins of a route; any thread.
#pragma once

#include <atomic>
#include <string_view>
#include <utility>

#include "base/redacted.h"
#include "runtime/timer.h"
#include "telemetry/logger.h"

namespace trunkline::pool {

struct secret_before {
  secret_before(secret_text which, runtime::time_point last) : password(std::move(which)), until(last) {}

  const secret_text password;
  const runtime::time_point until;
  std::atomic<bool> told = false;
};

/// A server has let in `user` with it. Said once.
void tell_of(secret_before& which, telemetry::logger& log, std::string_view upstream, std::string_view user);

}  // namespace trunkline::pool
