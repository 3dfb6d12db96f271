#include "doctor/figures.h"

#include <fmt/format.h>

#include <algorithm>

namespace trunkline::doctor {

microseconds quantile(std::vector<microseconds> of, double q) {
  if (of.empty()) return microseconds(0);
  const auto last = static_cast<double>(of.size() - 1);
  const auto at = static_cast<std::ptrdiff_t>(std::clamp(q, 0.0, 1.0) * last + 0.5);
  std::ranges::nth_element(of, of.begin() + at);
  return of[static_cast<std::size_t>(at)];
}

microseconds least(const std::vector<microseconds>& of) {
  return of.empty() ? microseconds(0) : *std::ranges::min_element(of);
}

microseconds most(const std::vector<microseconds>& of) {
  return of.empty() ? microseconds(0) : *std::ranges::max_element(of);
}

std::string text_of(microseconds time) {
  const auto count = static_cast<double>(time.count());
  if (count < 1'000) return fmt::format("{} us", time.count());
  if (count < 1'000'000) return fmt::format("{:.1f} ms", count / 1'000);
  return fmt::format("{:.2f} s", count / 1'000'000);
}

}  // namespace trunkline::doctor
