// What a check says, as plain values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::doctor {

enum class verdict : std::uint8_t { ok, finding, unknown };

/// The worst first.
enum class severity : std::uint8_t {
  broken,  ///< it does not work now
  risk,    ///< it will break: at a failover, under load, after a pause
  slow,    ///< it works, and costs time
};

enum class confidence : std::uint8_t {
  certain,  ///< seen directly, each time
  likely,   ///< two independent signals agree
  hint,     ///< one signal; something else may look the same
};

/// One thing that a check has to say. Texts are for a human, one or a few sentences, without a secret.
struct judgement {
  verdict is = verdict::ok;
  std::string summary;                     ///< one line
  std::vector<std::string> evidence = {};  ///< what was measured

  // Of a finding.
  severity weight = severity::risk;
  confidence sure = confidence::certain;
  std::string where = {};        ///< the hop, or "between X and Y"
  std::string explanation = {};  ///< what happens, and what an application sees of it
  std::string fix = {};          ///< the field, annotation, setting or GUC to change, and to what
  std::vector<std::string> pathologies = {};  ///< "P43", as in docs/doctor.md
};

using judgements = std::vector<judgement>;

inline judgement fine(std::string summary, std::vector<std::string> evidence = {}) {
  return {.is = verdict::ok, .summary = std::move(summary), .evidence = std::move(evidence)};
}

/// `why`: what kept the check from telling.
inline judgement could_not_tell(std::string why, std::vector<std::string> evidence = {}) {
  return {.is = verdict::unknown, .summary = std::move(why), .evidence = std::move(evidence)};
}

/// The worst of them: a finding before what could not be told.
verdict worst_of(const judgements& all);

std::string_view name_of(verdict which);
std::string_view name_of(severity which);
std::string_view name_of(confidence which);

}  // namespace trunkline::doctor
