// /healthz: do the loops turn? /readyz: may traffic come? Neither asks whether the database is up. Any
// thread; never waits.
#pragma once

#include <chrono>

#include "admin/http_message.h"
#include "session/observer.h"

namespace trunkline::admin {

/// 503 names the workers whose loop has not turned for `limits::loop_silence`.
http_response health_page(session::observer& seen, std::chrono::steady_clock::time_point now);
/// 503 says why not.
http_response ready_page(session::observer& seen);

}  // namespace trunkline::admin
