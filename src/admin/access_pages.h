// The part of the API that changes something: requests for access, and answers to them. Everybody is somebody
// here, by a bearer token; what they may do is up to the policies. Waits for the store. Any thread.
#pragma once

#include <string_view>

#include "admin/access_source.h"
#include "admin/http_message.h"
#include "session/observer.h"

namespace trunkline::admin {

/// `page` behind /api/v1/: "access", "access/requests/7/approve", "whoami". `source` null: there is no access
/// here. The policies are no secret: /api/v1/config has them too.
http_response access_page(session::observer& seen, access_source* source, const http_request& request,
                          std::string_view page);

}  // namespace trunkline::admin
