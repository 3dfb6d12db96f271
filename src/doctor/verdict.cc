#include "doctor/verdict.h"

#include <algorithm>
#include <array>

namespace trunkline::doctor {

verdict worst_of(const judgements& all) {
  const auto has = [&](verdict which) {
    return std::ranges::any_of(all, [=](const judgement& each) { return each.is == which; });
  };
  if (has(verdict::finding)) return verdict::finding;
  return all.empty() || has(verdict::unknown) ? verdict::unknown : verdict::ok;
}

std::string_view name_of(verdict which) {
  return std::array<std::string_view, 3>{"ok", "finding", "unknown"}[static_cast<std::size_t>(which)];
}

std::string_view name_of(severity which) {
  return std::array<std::string_view, 3>{"broken", "risk", "slow"}[static_cast<std::size_t>(which)];
}

std::string_view name_of(confidence which) {
  return std::array<std::string_view, 3>{"certain", "likely", "hint"}[static_cast<std::size_t>(which)];
}

}  // namespace trunkline::doctor
