#include "doctor/gateway_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace trunkline::doctor {
namespace {

/// The value of a label in `{name="value",...}`.
std::string label_of(std::string_view line, std::string_view name) {
  const std::string mark = fmt::format("{}=\"", name);
  const auto at = line.find(mark);
  if (at == line.npos) return "";
  line.remove_prefix(at + mark.size());
  return std::string(line.substr(0, line.find('"')));
}

std::optional<double> value_of(std::string_view line) {
  line.remove_prefix(std::min(line.size(), line.rfind('}') + 1));
  while (line.starts_with(' '))
    line.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(line.data(), line.data() + line.size(), value);
  if (read.ec != std::errc() || !(value >= 0)) return std::nullopt;
  return value;
}

std::uint64_t at(const std::map<std::string, std::uint64_t>& of, const std::string& name) {
  const auto found = of.find(name);
  return found == of.end() ? 0 : found->second;
}

struct death {
  const char* cause;
  const char* where;
  const char* what;
  const char* pathology;
};

constexpr std::array deaths{
    death{"server_timeout", "between the gateway and the server", "the server vanished without a word",
          "P10"},
    death{"server_reset", "between the gateway and the server", "the server's connection was reset", "P01"},
    death{"server_eof", "between the gateway and the server",
          "the server's connection was closed without an error", "P32"},
    death{"client_timeout", "between the clients and the gateway", "clients vanished without a word", "P10"},
};

std::vector<std::string> evidence_of(const gateway_counts& seen) {
  std::vector<std::string> made;
  for (const auto& [cause, count] : seen.closes)
    if (count > 0) made.push_back(fmt::format("{} sessions ended by {}", count, cause));
  for (const auto& [leg, count] : seen.retransmits)
    made.push_back(fmt::format("{} segments were sent again on the {} leg", count, leg));
  for (const auto& [phase, seconds] : seen.phases)
    if (seconds > 0) made.push_back(fmt::format("{:.1f} s of all exchanges: {}", seconds, phase));
  return made;
}

}  // namespace

gateway_counts read_metrics(std::string_view text) {
  gateway_counts made;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.starts_with('#')) continue;
    const auto value = value_of(line);
    if (!value) continue;
    if (line.starts_with("trunkline_session_closes_total{"))
      made.closes[label_of(line, "cause")] += static_cast<std::uint64_t>(*value);
    if (line.starts_with("trunkline_tcp_retransmits_total{"))
      made.retransmits[label_of(line, "leg")] += static_cast<std::uint64_t>(*value);
    if (line.starts_with("trunkline_exchange_seconds_sum{")) made.phases[label_of(line, "phase")] += *value;
  }
  return made;
}

judgements judge_gateway(const gateway_counts& seen) {
  std::uint64_t all = 0;
  for (const auto& [cause, count] : seen.closes)
    all += count;
  judgements made;
  for (const death& each : deaths) {
    const std::uint64_t count = at(seen.closes, each.cause);
    if (count == 0) continue;
    made.push_back(
        {.is = verdict::finding,
         .summary = fmt::format("{} of {} sessions in production: {}", count, all, each.what),
         .evidence = evidence_of(seen),
         .weight = severity::risk,
         .sure = confidence::certain,
         .where = each.where,
         .explanation =
             fmt::format("The gateway on this path has counted them since it started, by its close "
                         "cause {}. Its end lines say after how long idle each of them died.",
                         each.cause),
         .fix = "keepalive.idle below the shortest timer on that leg (trunkline.yaml); SHOW SESSIONS and the "
                "log's idle seconds name the timer.",
         .pathologies = {each.pathology}});
  }
  if (made.empty())
    made.push_back(
        fine(fmt::format("the gateway has seen {} sessions end, none by the path", all), evidence_of(seen)));
  return made;
}

}  // namespace trunkline::doctor
