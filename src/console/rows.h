// One row of a console's table, filled from left to right. Value type; one owner.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/seconds.h"
#include "session/console_desk.h"

namespace trunkline::console {

class row {
 public:
  row& text(std::string_view value) {
    cells_.emplace_back(std::string(value));
    return *this;
  }
  /// NULL where there is nothing to say.
  row& text_or_null(std::string_view value) { return value.empty() ? null() : text(value); }
  row& number(std::uint64_t value) { return text(fmt::format_int(value).c_str()); }
  /// int4: larger ones stay at its end.
  row& small(std::uint64_t value) {
    return number(std::min<std::uint64_t>(value, std::numeric_limits<std::int32_t>::max()));
  }
  row& seconds(double value) { return text(fmt::format("{:.6f}", value)); }
  row& seconds(std::chrono::nanoseconds value) { return seconds(seconds_of(value)); }
  row& yes(bool value) { return text(value ? "yes" : "no"); }
  row& null() {
    cells_.emplace_back();
    return *this;
  }
  row& nulls(std::size_t count) {
    cells_.resize(cells_.size() + count);
    return *this;
  }

  session::console_row take() { return std::move(cells_); }

 private:
  session::console_row cells_;
};

/// For tables that are made from sessions.
inline std::string incomplete_notice(bool complete) {
  return complete ? "" : "a worker is busy: its sessions are missing";
}

/// "2026-11-25 14:03:07 UTC", as PgBouncer writes it; with microseconds where `exact`.
std::string time_text(std::chrono::system_clock::time_point when, bool exact = false);

}  // namespace trunkline::console
