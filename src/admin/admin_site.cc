#include "admin/admin_site.h"

#include <exception>
#include <utility>

#include "admin/access_pages.h"
#include "admin/api_pages.h"
#include "admin/health.h"
#include "admin/json.h"
#include "admin/metrics_page.h"
#include "admin/path_page.h"

namespace trunkline::admin {
namespace {

constexpr std::string_view api_root = "/api/v1/";
constexpr std::string_view sessions_folder = "sessions/";

http_response index_page() {
  return json_response({{"healthz", "/healthz"},
                        {"readyz", "/readyz"},
                        {"metrics", "/metrics"},
                        {"api",
                         {"/api/v1/sessions", "/api/v1/sessions/ID", "/api/v1/upstreams", "/api/v1/pools",
                          "/api/v1/prepared", "/api/v1/exchanges", "/api/v1/path", "/api/v1/audit",
                          "/api/v1/access", "/api/v1/config", "/api/v1/objects"}}});
}

}  // namespace

admin_site::admin_site(session::observer& seen, std::string version, access_source* access,
                       objects_source objects)
    : seen_(seen), version_(std::move(version)), access_(access), objects_(std::move(objects)) {}

lane admin_site::lane_of(const http_request& request) const {
  if (request.path == "/healthz" || request.path == "/readyz") return lane::here;
  const bool asks_workers = request.path.starts_with("/api/v1/sessions") ||
                            request.path.starts_with("/api/v1/exchanges") ||
                            request.path.starts_with("/api/v1/prepared") || request.path == "/api/v1/path";
  // For the store, and for the issuer of a token.
  const bool waits = request.path.starts_with("/api/v1/access") || request.path == "/api/v1/whoami";
  return asks_workers || waits ? lane::patient : lane::brief;
}

http_response admin_site::answer(const http_request& request) {
  try {
    if (request.path == "/healthz") return health_page(seen_, std::chrono::steady_clock::now());
    if (request.path == "/readyz") return ready_page(seen_);
    if (request.path == "/metrics") return metrics(request);
    if (request.path == "/" || request.path == "/api/v1" || request.path == api_root) return index_page();
    if (request.path.starts_with(api_root))
      return api(request, std::string_view(request.path).substr(api_root.size()));
    return error_response(404, "there is nothing here; / lists what there is");
  } catch (const std::exception&) {  // of the JSON library or an allocation: this answer fails, nothing else
    return error_response(500, "the answer could not be made");
  }
}

http_response admin_site::metrics(const http_request& request) {
  const auto format = prefers_openmetrics(request.accept) ? telemetry::metrics_format::openmetrics
                                                          : telemetry::metrics_format::text;
  const metrics_moment at{.now = std::chrono::steady_clock::now(),
                          .date = std::chrono::system_clock::now(),
                          .busy = busy_.ratios(),
                          .version = version_,
                          .objects = objects_()};
  return {.status = 200,
          .content_type = std::string(telemetry::content_type_of(format)),
          .body = metrics_page(seen_, at, format)};
}

http_response admin_site::api(const http_request& request, std::string_view page) {
  if (page == "sessions") return sessions_page(seen_, request);
  if (page.starts_with(sessions_folder)) return session_page(seen_, page.substr(sessions_folder.size()));
  if (page == "upstreams") return upstreams_page(seen_);
  if (page == "pools") return pools_page(seen_, request);
  if (page == "prepared") return prepared_page(seen_, request, statements_);
  if (page == "exchanges") return exchanges_page(seen_, request, statements_);
  if (page == "path") return path_page(seen_, request);
  if (page == "audit") return audit_page(seen_);
  if (page == "access" || page == "whoami" || page.starts_with("access/"))
    return access_page(seen_, access_, request, page);
  if (page == "config") return config_page(seen_);
  if (page == "objects") return objects_page(objects_(), request);
  return error_response(404, "there is no such page; /api/v1/ lists them");
}

void admin_site::tick() {
  busy_.sample(std::chrono::steady_clock::now(), seen_.workers());
}

}  // namespace trunkline::admin
