#include "admin/status_site.h"

#include "admin/json.h"

namespace trunkline::admin {

http_response status_site::answer(const http_request& request) {
  const bool shown = request.path == "/healthz" || request.path == "/readyz" || request.path == "/metrics";
  if (shown) return pages_.answer(request);
  return error_response(404, "here are /healthz, /readyz and /metrics; the rest is at admin.address");
}

}  // namespace trunkline::admin
