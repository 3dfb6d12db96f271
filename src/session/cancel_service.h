// Serves a CancelRequest that has arrived (wire.md 5, docs/cancel.md): a client's, the question of another
// replica, or one that the process which took over passes on.
#pragma once

#include <vector>

#include "session/login_context.h"

namespace trunkline::session {

/// To its end, as a server would: a client gets no answer, and is closed when the server has closed. Always
/// answers with the end of the connection.
runtime::task<step<>> serve_cancel(login_context* context, std::uint32_t pid, std::vector<std::byte> key);

}  // namespace trunkline::session
