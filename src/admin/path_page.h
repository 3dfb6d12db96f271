// `/api/v1/path`: what the gateway has seen of its two legs: how sessions died and after which silence, what
// TCP had to send again, where the time of exchanges went; by route since the start, and by endpoint of the
// sessions that are open now. It may wait for a busy worker. Any thread.
#pragma once

#include "admin/http_message.h"
#include "session/observer.h"

namespace trunkline::admin {

http_response path_page(session::observer& seen, const http_request& request);

}  // namespace trunkline::admin
