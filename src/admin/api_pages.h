// The pages below /api/v1/: JSON, for reading. Those of sessions and exchanges may wait for a
// busy worker, up to `limits::observe_timeout`. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "admin/http_message.h"
#include "admin/json.h"
#include "admin/statement_text.h"
#include "session/observer.h"

namespace trunkline::admin {

http_response sessions_page(session::observer& seen, const http_request& request);
http_response session_page(session::observer& seen, std::string_view id);
http_response upstreams_page(session::observer& seen);
http_response exchanges_page(session::observer& seen, const http_request& request,
                             statement_text& statements);
/// Of shared server connections.
http_response pools_page(session::observer& seen, const http_request& request);
/// Prepared statements of pooled clients.
http_response prepared_page(session::observer& seen, const http_request& request, statement_text& statements);
http_response audit_page(session::observer& seen);
http_response config_page(session::observer& seen);
/// As configured; empty: there are none.
json access_policies(session::observer& seen);

}  // namespace trunkline::admin
