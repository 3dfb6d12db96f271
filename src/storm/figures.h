// The numbers of a run in the order in which every report shows them, and how durations are written. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "storm/storm.h"

namespace trunkline::storm {

struct figure {
  std::string_view group;  ///< "stages", "answers" or "whole"
  std::string_view name;
  const hdr_histogram* values = nullptr;  ///< never empty
};

/// Of the stages, of each workload's answers, and of logins and rounds as a whole. `said` outlives it.
std::vector<figure> figures_of(const tally& said);

/// "85us", "1.25ms", "12.3ms", "1.2s", "95s": at most six characters.
std::string short_duration(std::chrono::microseconds value);
/// "950", "12.3k", "4.5M"
std::string short_count(double value);
/// "clean", "findings", "failed" or "interrupted"
std::string_view verdict_of(const report& of);
/// "foreign_answer in transfer", with the SQLSTATE where there is one.
std::string title_of(const finding_group& of);
/// "12 times (query 8, copy 4)"
std::string times_of(const finding_group& of);
/// What is not in the numbers and must be known to read them; a sentence each.
std::vector<std::string> notes_of(const report& of);

}  // namespace trunkline::storm
