#include "audit/trace_span.h"

#include <algorithm>

#include "audit/json_pieces.h"

namespace trunkline::audit {
namespace {

/// "SELECT": of the tag, or of the text where there is none; upper case.
std::string verb_of(const statement_step& step) {
  const std::string_view from = step.tag.empty() ? std::string_view(step.facts->normalised) : step.tag;
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::string verb(from.begin(), std::ranges::find_if_not(from, is_letter));
  for (char& c : verb)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return verb.empty() ? "QUERY" : verb;
}

std::string seconds_text(std::chrono::nanoseconds value) {
  std::string text;
  append_seconds(text, value);
  return text;
}

}  // namespace

span_record make_span(const trace_parent& parent, const statement_step& step,
                      const telemetry::exchange_facts& facts, const session_labels& who,
                      std::chrono::nanoseconds offset, bool with_text) {
  span_record span;
  span.trace_id = parent.trace_id;
  span.parent_span_id = parent.span_id;
  span.name = verb_of(step);
  if (!who.database.empty()) span.name += ' ' + who.database;
  span.start_unix_ns = facts.began.time_since_epoch().count() + offset.count();
  span.end_unix_ns = span.start_unix_ns + std::max<std::int64_t>(facts.total.count(), 0);
  span.failed = step.failed || facts.how == telemetry::outcome::cut_off;
  const auto add = [&](std::string name, std::string_view value) {
    if (!value.empty()) span.attributes.emplace_back(std::move(name), value);
  };
  add("db.system.name", "postgresql");
  add("db.namespace", who.database);
  if (with_text) add("db.query.text", step.facts->normalised);
  if (step.failed) add("db.response.status_code", step.code.view());
  add("server.address", who.endpoint);
  add("trunkline.session", who.session);
  for (std::size_t i = 0; i < telemetry::phase_count; ++i) {
    add("trunkline.seconds." + std::string(telemetry::phase_names[i]), seconds_text(facts.phases[i]));
  }
  return span;
}

}  // namespace trunkline::audit
