// W3C Trace Context as it reaches a database: the `traceparent` of a sqlcommenter comment or inside
// application_name. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

namespace trunkline::audit {

struct trace_parent {
  std::string_view trace_id;  ///< 32 hex digits
  std::string_view span_id;   ///< 16 hex digits
  bool sampled = false;
};

/// `00-<32>-<16>-<2>`; nothing where it is none, or all zeros.
std::optional<trace_parent> parse_trace_parent(std::string_view text);
/// The first one anywhere in the text.
std::optional<trace_parent> find_trace_parent(std::string_view text);

}  // namespace trunkline::audit
