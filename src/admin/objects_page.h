// Objects of Kubernetes that are configuration, at /api/v1/objects. Any thread.
#pragma once

#include <functional>

#include "admin/http_message.h"
#include "session/objects_view.h"

namespace trunkline::admin {

/// What is known of them now.
using objects_source = std::function<session::objects_view()>;

http_response objects_page(session::objects_view view, const http_request& request);

}  // namespace trunkline::admin
