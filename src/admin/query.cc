#include "admin/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/values.h"

namespace trunkline::admin {

query::query(const http_request& of, std::initializer_list<std::string_view> known) : of_(of) {
  std::string names;
  for (const std::string_view each : known)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each);
  for (std::size_t i = 0; i < of.query.size(); ++i) {
    const auto& name = of.query[i].first;
    const bool is_known = std::find(known.begin(), known.end(), name) != known.end();
    const bool again = std::any_of(of.query.begin(), of.query.begin() + static_cast<std::ptrdiff_t>(i),
                                   [&](const auto& earlier) { return earlier.first == name; });
    if (is_known && !again) continue;
    refusal_ =
        error_response(400, again ? fmt::format("{} stands in the query twice", name)
                                  : fmt::format("the query has a name that is not known here; there are: {}",
                                                names.empty() ? "none" : names));
    return;
  }
}

std::optional<std::string_view> query::text(std::string_view name) const {
  for (const auto& [key, value] : of_.query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::size_t query::count(std::string_view name, std::size_t otherwise, std::size_t most) {
  const auto asked = text(name);
  if (!asked) return otherwise;
  const auto number = config::parse_integer(*asked);
  if (number && *number >= 1 && static_cast<std::size_t>(*number) <= most)
    return static_cast<std::size_t>(*number);
  refusal_ = error_response(400, fmt::format("{} is a number from 1 to {}", name, most));
  return otherwise;
}

}  // namespace trunkline::admin
