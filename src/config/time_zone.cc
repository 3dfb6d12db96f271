#include "config/time_zone.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

namespace trunkline::config {

namespace {

using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr std::size_t file_bytes = 256 * 1024;
constexpr std::size_t header_bytes = 44;

std::uint32_t u32_at(byte_span bytes, std::size_t at) {
  return load_u32(bytes.data() + at);
}

std::int64_t i64_at(byte_span bytes, std::size_t at) {
  const auto high = static_cast<std::uint64_t>(u32_at(bytes, at));
  return static_cast<std::int64_t>((high << 32U) | u32_at(bytes, at + 4));
}

/// The counts of a header: isutc, isstd, leap seconds, transitions, types, characters.
struct counts {
  std::size_t utc, standard, leaps, times, types, characters;
  std::size_t body(std::size_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + characters + leaps * (time_bytes + 4) + standard + utc;
  }
};

std::optional<counts> header_at(byte_span file, std::size_t at) {
  if (file.size() < at + header_bytes || as_text(file.subspan(at, 4)) != "TZif") return std::nullopt;
  const auto count = [&](std::size_t index) { return std::size_t{u32_at(file, at + 20 + index * 4)}; };
  const counts made{count(0), count(1), count(2), count(3), count(4), count(5)};
  for (const auto each : {made.utc, made.standard, made.leaps, made.times, made.types, made.characters})
    if (each > file_bytes) return std::nullopt;
  if (made.types == 0) return std::nullopt;
  return made;
}

/// A number at the front, taken off.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || value > 10'000) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, char what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(1);
  return true;
}

/// [+-]hh[:mm[:ss]]
std::optional<seconds> take_time(std::string_view& text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  seconds total{0};
  seconds unit{3600};
  for (int part = 0; part < 3; ++part, unit /= 60) {
    if (part > 0 && !take(text, ':')) break;
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    total += unit * *value;
  }
  return negative ? -total : total;
}

/// "CET" or "<+03>".
bool take_name(std::string_view& text) {
  const bool quoted = take(text, '<');
  std::size_t size = 0;
  while (size < text.size() &&
         (quoted ? text[size] != '>' : ((text[size] | 0x20) >= 'a' && (text[size] | 0x20) <= 'z')))
    ++size;
  if (size == 0) return false;
  text.remove_prefix(size);
  return !quoted || take(text, '>');
}

std::string read_file(const std::string& path) {
  struct closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const std::unique_ptr<std::FILE, closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return {};
  std::string text(file_bytes, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.find("..") != std::string_view::npos)
    return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return c == '/' || c == '_' || c == '-' || c == '+' || (c >= '0' && c <= '9') ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
  });
}

}  // namespace

std::optional<time_zone> time_zone::find(const std::string& name) {
  if (name == "UTC") return time_zone();
  if (!is_zone_name(name)) return std::nullopt;
  return parse(as_bytes(read_file("/usr/share/zoneinfo/" + name)));
}

std::optional<time_zone> time_zone::parse(byte_span file) {
  const auto old = header_at(file, 0);
  if (!old || static_cast<char>(file[4]) < '2') return std::nullopt;
  const std::size_t second = header_bytes + old->body(4);
  const auto now = header_at(file, second);
  if (!now || file.size() < second + header_bytes + now->body(8)) return std::nullopt;
  const std::size_t times = second + header_bytes;
  const std::size_t kinds = times + now->times * 8;
  const std::size_t types = kinds + now->times;
  const auto offset_of = [&](std::size_t type) {
    return static_cast<std::int32_t>(u32_at(file, types + type * 6));
  };
  time_zone made;
  made.first_ = offset_of(0);
  for (std::size_t i = 0; i < now->times; ++i) {
    const auto type = std::to_integer<std::size_t>(file[kinds + i]);
    if (type >= now->types) return std::nullopt;
    made.transitions_.push_back(i64_at(file, times + i * 8));
    made.offsets_.push_back(offset_of(type));
  }
  if (!std::is_sorted(made.transitions_.begin(), made.transitions_.end())) return std::nullopt;
  std::string_view footer = as_text(file.subspan(second + header_bytes + now->body(8)));
  if (take(footer, '\n')) made.rule_ = parse_rule(footer.substr(0, footer.find('\n')));
  return made;
}

/// As POSIX has it for TZ: "CET-1CEST,M3.5.0,M10.5.0/3". Other forms of a date are not used any more.
std::optional<time_zone::rule> time_zone::parse_rule(std::string_view text) {
  rule made;
  if (!take_name(text)) return std::nullopt;
  const auto standard = take_time(text);
  if (!standard) return std::nullopt;
  made.standard = -*standard;  // POSIX counts to the west
  if (text.empty()) return made;
  if (!take_name(text)) return std::nullopt;
  made.summer = made.standard + std::chrono::hours(1);
  if (!text.starts_with(',')) {
    const auto summer = take_time(text);
    if (!summer) return std::nullopt;
    made.summer = -*summer;
  }
  const auto begin = parse_change(text);
  const auto end = begin ? parse_change(text) : std::nullopt;
  if (!end || !text.empty()) return std::nullopt;
  made.changes.emplace(*begin, *end);
  return made;
}

std::optional<time_zone::change> time_zone::parse_change(std::string_view& text) {
  change made;
  if (!take(text, ',') || !take(text, 'M')) return std::nullopt;
  const auto month = take_number(text);
  const auto week = month && take(text, '.') ? take_number(text) : std::nullopt;
  const auto weekday = week && take(text, '.') ? take_number(text) : std::nullopt;
  if (!weekday || *month < 1 || *month > 12 || *week < 1 || *week > 5 || *weekday > 6) return std::nullopt;
  made = {.month = *month, .week = *week, .weekday = *weekday};
  if (!take(text, '/')) return made;
  const auto after = take_time(text);
  if (!after) return std::nullopt;
  made.after = *after;
  return made;
}

sys_seconds time_zone::time_of(const change& which, std::chrono::year year) {
  const auto month = year / std::chrono::month(which.month);
  const std::chrono::weekday day(which.weekday);
  const sys_days date =
      which.week == 5 ? sys_days(month / day[std::chrono::last]) : sys_days(month / day[which.week]);
  return sys_seconds(date) + which.after;
}

seconds time_zone::by_rule(sys_seconds when) const {
  if (!rule_->changes) return rule_->standard;
  const auto local = std::chrono::floor<std::chrono::days>(when + rule_->standard);
  const auto year = std::chrono::year_month_day(local).year();
  const auto begin = time_of(rule_->changes->first, year) - rule_->standard;
  const auto end = time_of(rule_->changes->second, year) - rule_->summer;
  // South of the equator summer is around the end of the year.
  const bool summer = begin < end ? when >= begin && when < end : when >= begin || when < end;
  return summer ? rule_->summer : rule_->standard;
}

seconds time_zone::offset(sys_seconds when) const {
  const auto at = when.time_since_epoch().count();
  const auto next = std::upper_bound(transitions_.begin(), transitions_.end(), at);
  if (next == transitions_.end() && rule_) return by_rule(when);
  if (next == transitions_.begin()) return seconds(first_);
  return seconds(offsets_[static_cast<std::size_t>(next - transitions_.begin()) - 1]);
}

}  // namespace trunkline::config
