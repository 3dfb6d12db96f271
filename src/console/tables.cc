#include "console/tables.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <vector>

#include "console/rows.h"

namespace trunkline::console {

std::span<const table> tables() {
  static const std::vector<table> all = [] {
    std::vector<table> made;
    for (const auto part : {session_tables(), pool_tables(), stats_tables(), setup_tables(),
                            exchange_tables(), foreign_tables()})
      made.insert(made.end(), part.begin(), part.end());
    std::sort(made.begin(), made.end(), [](const table& a, const table& b) { return a.name < b.name; });
    return made;
  }();
  return all;
}

std::size_t find_table(std::string_view name) {
  const auto all = tables();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const table& each) { return each.name == name; });
  return static_cast<std::size_t>(found - all.begin());
}

std::string time_text(std::chrono::system_clock::time_point when, bool exact) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(when);
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(when - whole).count();
  const std::string date = fmt::format("{:%Y-%m-%d %H:%M:%S}", whole);
  return exact ? fmt::format("{}.{:06} UTC", date, micros) : date + " UTC";
}

}  // namespace trunkline::console
