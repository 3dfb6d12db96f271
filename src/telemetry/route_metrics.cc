#include "telemetry/route_metrics.h"

namespace trunkline::telemetry {
namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::size_t base = 36;
static_assert(digits.size() == base);

}  // namespace

std::size_t class_index(sqlstate code) {
  const std::size_t first = digits.find(code.view()[0]);
  const std::size_t second = digits.find(code.view()[1]);
  if (first == std::string_view::npos || second == std::string_view::npos) return 0;
  return first * base + second;
}

std::array<char, 2> class_of_index(std::size_t index) {
  return {digits[index / base % base], digits[index % base]};
}

}  // namespace trunkline::telemetry
