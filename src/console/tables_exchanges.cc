// SHOW SLOW, FAILED and CLOSES: where the time went, and why it ended.
#include <array>

#include "console/rows.h"
#include "console/tables.h"
#include "console/told_statement.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using telemetry::exchange_facts;
using telemetry::flight_record;
using telemetry::phase;
using enum session::console_type;

constexpr std::array exchange_columns{
    console_column{"when", text},           console_column{"seconds", float8},
    console_column{"dominant", text},       console_column{"gateway", float8},
    console_column{"wait", float8},         console_column{"network", float8},
    console_column{"server", float8},       console_column{"transfer", float8},
    console_column{"client_stall", float8}, console_column{"client_upload", float8},
    console_column{"outcome", text},        console_column{"sqlstate", text},
    console_column{"user", text},           console_column{"database", text},
    console_column{"route", text},          console_column{"endpoint", text},
    console_column{"session", int8},        console_column{"kind", text},
    console_column{"tx_state", text},       console_column{"bytes_in", int8},
    console_column{"bytes_out", int8},      console_column{"application_name", text},
    console_column{"client", text},         console_column{"fingerprint", text},
    console_column{"statement", text},
};

constexpr std::array<std::string_view, telemetry::phase_count> phase_words{
    "the gateway was busy",
    "it waited for a server connection",
    "the way to the server",
    "the server worked on it",
    "the answer took long to arrive",
    "the client took nothing",
    "the request took long to arrive",
};

/// "server, 97 %: the server worked on it".
std::string dominant_text(const exchange_facts& facts) {
  const auto which = static_cast<std::size_t>(telemetry::dominant(facts));
  const auto most = facts.phases[which].count();
  if (most <= 0 || facts.total.count() <= 0) return "";
  const auto percent =
      std::min<std::int64_t>(100, most / std::max<std::int64_t>(1, facts.total.count() / 100));
  return fmt::format("{}, {} %: {}", telemetry::phase_names[which], percent, phase_words[which]);
}

console_rows exchange_rows(const std::vector<flight_record>& records, sight& seen) {
  console_rows out;
  for (const flight_record& each : records) {
    const exchange_facts& facts = each.facts;
    const told_statement statement = tell_statement(each.statement, seen.statements);
    row made;
    made.text(time_text(each.began, true)).seconds(facts.total).text_or_null(dominant_text(facts));
    for (const auto& part : facts.phases)
      made.seconds(part);
    made.text(telemetry::outcome_names[static_cast<std::size_t>(facts.how)]);
    made.text_or_null(facts.code == sqlstate{} ? std::string_view{} : facts.code.view());
    made.text(each.user).text(each.database).text_or_null(each.route).text_or_null(each.endpoint);
    made.number(each.session).text(telemetry::exchange_kind_names[static_cast<std::size_t>(facts.kind)]);
    made.text(std::string_view(&facts.transaction_status, 1)).number(facts.bytes_in).number(facts.bytes_out);
    made.text_or_null(each.application_name).text(each.client);
    made.text_or_null(statement.fingerprint).text_or_null(statement.text);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows slow_rows(sight& seen) {
  return exchange_rows(seen.from.exchanges().slowest, seen);
}
console_rows failed_rows(sight& seen) {
  return exchange_rows(seen.from.exchanges().failed, seen);
}

constexpr std::array close_columns{
    console_column{"route", text},
    console_column{"cause", text},
    console_column{"ended_by", text},
    console_column{"sessions", int8},
};

console_rows close_rows(sight& seen) {
  std::map<std::pair<std::string, std::size_t>, std::uint64_t> counts;
  for (const auto* each : seen.from.routes()) {
    for (std::size_t i = 0; i < telemetry::cause_count; ++i) {
      if (const auto count = each->closes[i].value(); count > 0) counts[{each->route, i}] += count;
    }
  }
  console_rows out;
  for (const auto& [what, count] : counts) {
    const telemetry::close_cause cause{.what = static_cast<telemetry::cause>(what.second)};
    row made;
    made.text_or_null(what.first).text(name_of(cause.what)).text(name_of(cause.ended_by())).number(count);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array exchanges_list{
    table{"CLOSES", "how many sessions ended, by route and cause", close_columns, &close_rows},
    table{"FAILED", "the last exchanges that failed, newest first", exchange_columns, &failed_rows},
    table{"SLOW", "the slowest exchanges of the last minutes, and where their time went", exchange_columns,
          &slow_rows},
};

}  // namespace

std::span<const table> exchange_tables() {
  return exchanges_list;
}

}  // namespace trunkline::console
