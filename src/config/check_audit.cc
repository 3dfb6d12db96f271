#include <fmt/format.h>

#include <algorithm>

#include "config/checks.h"

namespace trunkline::config {

void check_audit(const check_input& in) {
  const auto& sinks = in.value.audit.sinks;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    const std::string key = fmt::format("audit.sinks[{}]", i);
    const bool to_file = sinks[i].type == audit_sink_type::file;
    if (to_file && sinks[i].path.empty() && in.state.sound(key + ".path"))
      in.problem(key, "a file sink needs a path", "path: the folder of its segments");
    const auto same = std::find_if(
        sinks.begin(), sinks.begin() + static_cast<std::ptrdiff_t>(i),
        [&](const audit_sink& other) { return other.type == sinks[i].type && other.path == sinks[i].path; });
    if (same != sinks.begin() + static_cast<std::ptrdiff_t>(i))
      in.problem(key, "is the same as an earlier sink", "another folder, or one of them");
  }
  const tracing& spans = in.value.tracing;
  if (!spans.ca_file.empty() && !spans.endpoint.starts_with("https://"))
    in.problem("tracing.caFile", "means nothing without https", "an https:// endpoint, or no caFile");
}

}  // namespace trunkline::config
