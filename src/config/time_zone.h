// A time zone of the system's database: how far its clocks are from UTC at any time. Reads TZif files of
// version 2 or later (RFC 9636), with the rule at their end for the time behind the last transition. Built
// once (blocking: it reads a file), immutable afterwards; any thread may ask.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace trunkline::config {

class time_zone {
 public:
  /// "UTC" without a file; else a name such as Europe/Berlin. Nothing: there is none of that name, or it
  /// cannot be read.
  static std::optional<time_zone> find(const std::string& name);
  /// What such a file holds. Nothing: it is none.
  static std::optional<time_zone> parse(byte_span file);

  std::chrono::seconds offset(std::chrono::sys_seconds when) const;

 private:
  /// The day on which the clocks change: in the `week`th (5: last) `weekday` (0: Sunday) of `month`, so long
  /// after midnight.
  struct change {
    unsigned month = 1;
    unsigned week = 1;
    unsigned weekday = 0;
    std::chrono::seconds after{7200};
  };
  struct rule {
    std::chrono::seconds standard{0};
    std::chrono::seconds summer{0};
    std::optional<std::pair<change, change>> changes;  ///< to summer time, and back
  };

  static std::optional<rule> parse_rule(std::string_view text);
  static std::optional<change> parse_change(std::string_view& text);
  static std::chrono::sys_seconds time_of(const change& which, std::chrono::year year);
  std::chrono::seconds by_rule(std::chrono::sys_seconds when) const;

  std::vector<std::int64_t> transitions_;  // in seconds since 1970, ascending
  std::vector<std::int32_t> offsets_;      // from each on
  std::int32_t first_ = 0;                 // before the first
  std::optional<rule> rule_;               // behind the last; nothing: as the last one says
};

}  // namespace trunkline::config
