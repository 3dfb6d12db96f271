// One request of OTLP/HTTP as JSON. Ids are hexadecimal, 64-bit integers are texts, enumerators are numbers
// ("JSON Protobuf Encoding").
#include <nlohmann/json.hpp>

#include "audit/otlp_exporter.h"
#include "base/limits.h"

namespace trunkline::audit {

namespace {

using nlohmann::json;

constexpr int kind_client = 3;
constexpr int status_error = 2;

json attribute(std::string_view key, std::string_view value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

json span_of(const span_record& from, const std::string& id) {
  json attributes = json::array();
  for (const auto& [key, value] : from.attributes)
    attributes.push_back(attribute(key, value));
  json made{{"traceId", from.trace_id},
            {"spanId", id},
            {"name", from.name},
            {"kind", kind_client},
            {"startTimeUnixNano", std::to_string(from.start_unix_ns)},
            {"endTimeUnixNano", std::to_string(from.end_unix_ns)},
            {"attributes", std::move(attributes)},
            {"status", from.failed ? json{{"code", status_error}} : json::object()}};
  if (!from.parent_span_id.empty()) made["parentSpanId"] = from.parent_span_id;
  return made;
}

}  // namespace

std::string otlp_body(const std::vector<span_record>& spans, const std::vector<std::string>& span_ids) {
  json list = json::array();
  for (std::size_t i = 0; i < spans.size(); ++i)
    list.push_back(span_of(spans[i], span_ids[i]));
  const json resource{{"attributes", json::array({attribute("service.name", "trunkline")})}};
  const json scope{{"scope", {{"name", "trunkline"}}}, {"spans", std::move(list)}};
  const json whole{
      {"resourceSpans", json::array({{{"resource", resource}, {"scopeSpans", json::array({scope})}}})}};
  // Statements and names come from clients: what is not UTF-8 is replaced.
  return whole.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace trunkline::audit
