#include "storm/figures.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/seconds.h"

namespace trunkline::storm {

std::vector<figure> figures_of(const tally& said) {
  std::vector<figure> made;
  const auto add = [&](std::string_view group, std::string_view name, const hdr_histogram& values) {
    if (values.count() > 0) made.push_back({group, name, &values});
  };
  for (std::size_t i = 0; i < stage_count; ++i)
    add("stages", stage_names[i], said.stages[i]);
  for (std::size_t i = 0; i < workload_count; ++i)
    add("answers", workload_kinds[i].name, said.answers[i]);
  add("whole", "logins", said.logins);
  add("whole", "rounds", said.rounds);
  add("whole", "paced", said.paced_rounds);
  add("whole", "lag", said.lag);
  return made;
}

std::string short_duration(std::chrono::microseconds value) {
  const auto us = value.count();
  const double ms = static_cast<double>(us) / 1e3;
  const double s = static_cast<double>(us) / 1e6;
  if (us < 1'000) return fmt::format("{}us", us);
  if (ms < 9.995) return fmt::format("{:.2f}ms", ms);
  if (ms < 99.95) return fmt::format("{:.1f}ms", ms);
  if (ms < 999.5) return fmt::format("{:.0f}ms", ms);
  if (s < 99.95) return fmt::format("{:.1f}s", s);
  return fmt::format("{:.0f}s", s);
}

std::string short_count(double value) {
  if (value < 9'999.5) return fmt::format("{:.0f}", value);
  if (value < 999'950) return fmt::format("{:.1f}k", value / 1e3);
  if (value < 999'950'000) return fmt::format("{:.1f}M", value / 1e6);
  return fmt::format("{:.1f}G", value / 1e9);
}

std::string_view verdict_of(const report& of) {
  if (of.failed()) return "failed";
  if (of.findings() > 0) return "findings";
  return of.interrupted ? "interrupted" : "clean";
}

std::string title_of(const finding_group& of) {
  std::string title = fmt::format("{} in {}", facts_of(of.what).name, name_of(of.where));
  return of.code.empty() ? title : title + " " + of.code;
}

std::string times_of(const finding_group& of) {
  std::string list;
  for (std::size_t i = 0; i < workload_count; ++i)
    if (of.by_workload[i] > 0)
      list += fmt::format("{}{} {}", list.empty() ? "" : ", ", workload_kinds[i].name, of.by_workload[i]);
  return fmt::format("{} time{} ({})", of.count, of.count == 1 ? "" : "s", list);
}

namespace {

void note_lag(std::vector<std::string>& notes, const path_report& of) {
  const hdr_histogram& lag = of.said.lag;
  if (lag.at(0.99) <= limits::storm_lag) return;
  notes.push_back(fmt::format(
      "Path {}: storm itself was late, by up to {} in 99 of 100 rounds and {} at most: it, or its "
      "machine, had too much to do, and that much of the latencies is not the path's.",
      of.label, short_duration(lag.at(0.99)), short_duration(lag.largest())));
}

void note_comparison(std::vector<std::string>& notes, const path_report& of) {
  const bool known = std::ranges::any_of(of.said.usual, &usual_wait::was_known);
  if (known || of.said.compared == 0) return;
  notes.push_back(fmt::format(
      "Path {}: hardly any statement was seen inside a transaction, so that the wait for a pooled "
      "connection is a part of query where there is one.",
      of.label));
}

}  // namespace

std::vector<std::string> notes_of(const report& of) {
  std::vector<std::string> notes;
  if (of.interrupted) notes.emplace_back("The run was interrupted: this is what was seen until then.");
  if (of.held_by_memory) notes.emplace_back("The bound on memory held the number of clients back.");
  // A loop that hardly ever waits adds its own delay to each answer.
  if (of.busy > 0.85)
    notes.push_back(
        fmt::format("This process itself was busy for {:.0f} % of the time: "
                    "a part of the latencies is its own. Ask for a smaller --rate or --login-rate.",
                    of.busy * 100));
  for (const auto& each : of.paths) {
    note_lag(notes, *each);
    note_comparison(notes, *each);
  }
  for (const auto& each : of.paths)
    if (!each->failure && !each->said.facts.takes_statement_timeout)
      notes.push_back(
          fmt::format("Path {} takes no statement_timeout at the start-up: only transactions with "
                      "long statements had one.",
                      each->label));
  return notes;
}

}  // namespace trunkline::storm
