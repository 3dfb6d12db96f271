#include "config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace trunkline::config {

namespace {

struct unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<unit, 4> duration_units{{{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<unit, 4> size_units{{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}};
constexpr std::int64_t duration_max_ms = std::int64_t{10'000} * 24 * 3'600'000;
constexpr std::int64_t size_max_bytes = std::int64_t{1} << 53;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

template <std::size_t Count>
std::optional<std::int64_t> with_unit(std::string_view text, const std::array<unit, Count>& units,
                                      std::int64_t max) {
  const auto digits =
      static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const auto number = parse_integer(text.substr(0, digits));
  if (!number) return std::nullopt;
  for (const auto& candidate : units) {
    if (candidate.name != text.substr(digits)) continue;
    if (*number > max / candidate.factor) return std::nullopt;
    return *number * candidate.factor;
  }
  return std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text, std::int64_t least) {
  const auto number = parse_integer(text);
  if (!number || *number < least || *number > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(*number);
}

bool is_host_name(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  const bool characters_fit = std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
           c == '.';
  });
  // All digits and dots, yet not an address: surely a mistyped one, and never a name.
  const bool all_numeric =
      std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
  return characters_fit && !all_numeric && text.front() != '.' && text.front() != '-' &&
         text.find("..") == std::string_view::npos;
}

std::optional<address> parse_address(std::string_view text, bool names_allowed, std::int64_t least_port) {
  address parsed;
  if (text.starts_with("unix:")) {
    const auto path = text.substr(5);
    if (path.size() < 2 || path.size() > limits::unix_path_bytes || path.front() != '/') return std::nullopt;
    parsed.path = path;
    return parsed;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1), least_port);
  if (!port) return std::nullopt;
  parsed.port = *port;
  auto host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto ip = ip_address::parse(host);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (bracketed != has_colon) return std::nullopt;
  if (!ip && (bracketed || !names_allowed || !is_host_name(host))) return std::nullopt;
  parsed.host = host;
  return parsed;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Optimal string alignment: the words are keys and names, so a full table is small.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    table[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j)
    table[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + change});
      const bool swapped =
          i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]);
      if (swapped) table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.empty() || text.size() > 18 || !std::all_of(text.begin(), text.end(), is_digit))
    return std::nullopt;
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return milliseconds{0};
  const auto value = with_unit(text, duration_units, duration_max_ms);
  if (!value) return std::nullopt;
  return milliseconds{*value};
}

std::string format_duration(milliseconds value) {
  if (value.count() == 0) return "0";
  for (const auto& [name, factor] : duration_units) {
    if (value.count() % factor == 0) return fmt::format("{}{}", value.count() / factor, name);
  }
  return fmt::format("{}ms", value.count());
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto value = with_unit(text, size_units, size_max_bytes);
  if (!value) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::string format_size(std::uint64_t bytes) {
  for (const auto& [name, factor] : size_units) {
    const auto one = static_cast<std::uint64_t>(factor);
    if (bytes != 0 && bytes % one == 0) return fmt::format("{}{}", bytes / one, name);
  }
  return "0";
}

std::optional<address> parse_listen_address(std::string_view text) {
  return parse_address(text, false, 0);
}

std::optional<address> parse_endpoint(std::string_view text) {
  return parse_address(text, true, 1);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > 64) return std::nullopt;
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    if (candidate.size() > 64) continue;
    const auto steps = distance(word, candidate);
    if (steps < best_distance) {
      best = candidate;
      best_distance = steps;
    }
  }
  return best;
}

}  // namespace trunkline::config
