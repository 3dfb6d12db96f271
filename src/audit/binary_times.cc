#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <limits>

#include "audit/binary_values.h"

namespace trunkline::audit {

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_us = 86'400 * second_us;
/// Days from 0000-03-01 to 2000-01-01, proleptic Gregorian.
constexpr std::int64_t days_to_2000 = 730'425;

std::int64_t floor_divide(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

/// Years begin in March, so that the leap day is the last of one; eras have 400 years.
std::string date_text(std::int64_t days, std::string& suffix) {
  const std::int64_t since = days + days_to_2000;
  const std::int64_t era = floor_divide(since, 146'097);
  const std::int64_t of_era = since - era * 146'097;
  const std::int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted = (5 * of_year + 2) / 153;
  const std::int64_t day = of_year - (153 * shifted + 2) / 5 + 1;
  const std::int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  std::int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  if (year <= 0) {
    suffix = " BC";
    year = 1 - year;
  }
  return fmt::format("{:04}-{:02}-{:02}", year, month, day);
}

std::string fraction_text(std::int64_t micros) {
  if (micros == 0) return {};
  std::string text = fmt::format(".{:06}", micros);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

std::string clock_text(std::int64_t micros) {
  const std::int64_t seconds = micros / second_us;
  return fmt::format("{:02}:{:02}:{:02}{}", seconds / 3'600, seconds / 60 % 60, seconds % 60,
                     fraction_text(micros % second_us));
}

std::string zone_text(std::int32_t west) {
  const std::int64_t east = -static_cast<std::int64_t>(west);
  const std::int64_t size = east < 0 ? -east : east;
  std::string text = fmt::format("{}{:02}", east < 0 ? '-' : '+', size / 3'600);
  if (size % 3'600 != 0) text += fmt::format(":{:02}", size / 60 % 60);
  if (size % 60 != 0) text += fmt::format(":{:02}", size % 60);
  return text;
}

std::optional<std::string> date(byte_span value) {
  if (value.size() != 4) return {};
  const auto days = static_cast<std::int32_t>(load_u32(value.data()));
  if (days == std::numeric_limits<std::int32_t>::max()) return "infinity";
  if (days == std::numeric_limits<std::int32_t>::min()) return "-infinity";
  std::string suffix;
  return date_text(days, suffix) + suffix;
}

std::optional<std::string> timestamp(byte_span value, bool zone) {
  if (value.size() != 8) return {};
  const auto micros = static_cast<std::int64_t>(load_big_endian<std::uint64_t>(value.data()));
  if (micros == std::numeric_limits<std::int64_t>::max()) return "infinity";
  if (micros == std::numeric_limits<std::int64_t>::min()) return "-infinity";
  const std::int64_t days = floor_divide(micros, day_us);
  std::string suffix;
  const std::string text = date_text(days, suffix);
  return text + ' ' + clock_text(micros - days * day_us) + (zone ? "+00" : "") + suffix;
}

std::optional<std::string> time_of_day(byte_span value, bool zone) {
  if (value.size() != (zone ? 12U : 8U)) return {};
  const auto micros = static_cast<std::int64_t>(load_big_endian<std::uint64_t>(value.data()));
  if (micros < 0 || micros > day_us) return {};
  const auto west = zone ? static_cast<std::int32_t>(load_u32(value.data() + 8)) : 0;
  return clock_text(micros) + (zone ? zone_text(west) : "");
}

std::optional<std::string> interval(byte_span value) {
  if (value.size() != 16) return {};
  const auto micros = static_cast<std::int64_t>(load_big_endian<std::uint64_t>(value.data()));
  const auto days = static_cast<std::int32_t>(load_u32(value.data() + 8));
  const auto months = static_cast<std::int32_t>(load_u32(value.data() + 12));
  std::string text;
  const auto part = [&](std::int64_t count, const char* unit) {
    if (count == 0) return;
    const bool many = count != 1;
    fmt::format_to(std::back_inserter(text), "{}{} {}{}", text.empty() ? "" : " ", count, unit,
                   many ? "s" : "");
  };
  part(months / 12, "year");
  part(months % 12, "mon");
  part(days, "day");
  if (micros == 0 && !text.empty()) return text;
  if (micros == std::numeric_limits<std::int64_t>::min()) return {};
  if (!text.empty()) text += ' ';
  return text + (micros < 0 ? "-" : "") + clock_text(micros < 0 ? -micros : micros);
}

}  // namespace

std::optional<std::string> read_date_or_time(binary_form form, byte_span value) {
  switch (form) {
    case binary_form::date:
      return date(value);
    case binary_form::time:
      return time_of_day(value, false);
    case binary_form::time_with_zone:
      return time_of_day(value, true);
    case binary_form::timestamp:
      return timestamp(value, false);
    case binary_form::timestamp_with_zone:
      return timestamp(value, true);
    case binary_form::interval:
      return interval(value);
    default:
      return {};
  }
}

}  // namespace trunkline::audit
