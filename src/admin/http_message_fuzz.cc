// Any bytes as a request: what is read does not depend on how it arrives, and every answer is a whole one.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "admin/http_message.h"
#include "base/limits.h"

using namespace trunkline;
using admin::http_reading;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_span bytes = std::as_bytes(std::span(data, size));
  const auto whole = admin::read_request(bytes);
  // What was decided on the first bytes stays decided.
  for (std::size_t part = 0; part < bytes.size(); part += 1 + part / 8) {
    const auto early = admin::read_request(bytes.first(part));
    if (early.what != http_reading::state::more && early.what != whole.what) std::abort();
    if (early.what == http_reading::state::request && early.request.path != whole.request.path) std::abort();
  }
  if (whole.what == http_reading::state::more && size >= limits::admin_request_bytes) std::abort();
  if (whole.what == http_reading::state::request && !whole.request.path.starts_with('/')) std::abort();
  if (whole.what == http_reading::state::bad) {
    const auto answer = admin::render_response(whole.refusal, false);
    if (!answer.starts_with("HTTP/1.1 ") || whole.refusal.status < 400) std::abort();
  }
  admin::prefers_openmetrics(as_text(bytes));
  return 0;
}
