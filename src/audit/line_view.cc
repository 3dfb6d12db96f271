#include "audit/line_view.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>

#include <nlohmann/json.hpp>

namespace trunkline::audit {

namespace {

constexpr int depth_max = 32;

/// Walks JSON without keeping it. False: it is none.
class walker {
 public:
  walker(std::string_view text, line_view& into) : text_(text), into_(into) {}
  bool run() { return object(place::top, 0) && at_ == text_.size(); }

 private:
  enum class place : std::uint8_t { top, statement, statements, seconds, other };

  bool take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool string(std::string_view& inside);
  bool word(std::string_view& raw);
  bool value(place where, std::string_view key, int depth);
  bool object(place where, int depth);
  bool array(place where, int depth);
  void text_found(place where, std::string_view key, std::string_view inside);
  void number_found(place where, std::string_view key, std::string_view raw);

  std::string_view text_;
  line_view& into_;
  std::size_t at_ = 0;
};

bool walker::string(std::string_view& inside) {
  if (!take('"')) return false;
  const std::size_t begin = at_;
  for (;;) {
    at_ = text_.find('"', at_);
    if (at_ == std::string_view::npos) return false;
    std::size_t slashes = 0;
    while (at_ - slashes > begin && text_[at_ - slashes - 1] == '\\')
      ++slashes;
    if (slashes % 2 == 0) break;
    ++at_;
  }
  inside = text_.substr(begin, at_ - begin);
  ++at_;
  return true;
}

bool walker::word(std::string_view& raw) {
  const std::size_t end = text_.find_first_of(",}]", at_);
  if (end == std::string_view::npos || end == at_) return false;
  raw = text_.substr(at_, end - at_);
  at_ = end;
  return raw.find_first_not_of("0123456789+-.eEtrufalsn") == std::string_view::npos;
}

void walker::text_found(place where, std::string_view key, std::string_view inside) {
  if (key == "sqlstate" && (where == place::top || where == place::statement))
    into_.sqlstates.push_back(inside);
  if (where == place::statement) {
    if (key == "fingerprint") into_.fingerprints.push_back(inside);
    if (key == "text") into_.texts.push_back(inside);
  } else if (where == place::top) {
    if (key == "event") into_.event = inside;
    if (key == "session") into_.session = inside;
    if (key == "principal") into_.principal = inside;
    if (key == "database") into_.database = inside;
    if (key == "time") into_.time_us = read_time(inside).value_or(-1);
  }
}

void walker::number_found(place where, std::string_view key, std::string_view raw) {
  if (where == place::top && key == "seq") std::from_chars(raw.data(), raw.data() + raw.size(), into_.seq);
  const bool total =
      (where == place::seconds && key == "total") || (where == place::top && key == "totalSeconds");
  if (total) std::from_chars(raw.data(), raw.data() + raw.size(), into_.seconds);
}

bool walker::value(place where, std::string_view key, int depth) {
  if (depth > depth_max || at_ == text_.size()) return false;
  const char first = text_[at_];
  const bool top = where == place::top;
  if (first == '{')
    return object(where == place::statements ? place::statement
                  : top && key == "seconds"  ? place::seconds
                                             : place::other,
                  depth);
  if (first == '[') return array(top && key == "statements" ? place::statements : place::other, depth);
  std::string_view found;
  if (first == '"') {
    if (!string(found)) return false;
    text_found(where, key, found);
  } else {
    if (!word(found)) return false;
    number_found(where, key, found);
  }
  return true;
}

bool walker::object(place where, int depth) {
  if (!take('{')) return false;
  if (take('}')) return true;
  do {
    std::string_view key;
    if (!string(key) || !take(':') || !value(where, key, depth + 1)) return false;
  } while (take(','));
  return take('}');
}

bool walker::array(place where, int depth) {
  if (!take('[')) return false;
  if (take(']')) return true;
  do {
    if (!value(where, {}, depth + 1)) return false;
  } while (take(','));
  return take(']');
}

bool number_at(std::string_view text, std::size_t at, std::size_t size, int& value) {
  const char* const begin = text.data() + at;
  return std::from_chars(begin, begin + size, value).ptr == begin + size;
}

}  // namespace

bool line_view::read(std::string_view line) {
  seq = 0;
  time_us = -1;
  event = session = principal = database = {};
  seconds = 0;
  fingerprints.clear();
  sqlstates.clear();
  texts.clear();
  return walker(line, *this).run() && seq > 0 && time_us >= 0 && !event.empty();
}

std::optional<std::int64_t> read_time(std::string_view text) {
  // 2026-11-25T14:00:00.123456Z, the fraction in any length or missing.
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
    return {};
  if (!number_at(text, 0, 4, year) || !number_at(text, 5, 2, month) || !number_at(text, 8, 2, day) ||
      !number_at(text, 11, 2, hour) || !number_at(text, 14, 2, minute) || !number_at(text, 17, 2, second))
    return {};
  std::int64_t micros = 0;
  if (text[19] != 'Z') {
    const std::string_view digits = text.substr(20, text.size() - 21);
    if (text[19] != '.' || digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
      return {};
    for (std::size_t i = 0; i < 6; ++i)
      micros = micros * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60 || hour < 0 || minute < 0 || second < 0)
    return {};
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((days * 24 + hour) * 60 + minute) * 60'000'000 + second * 1'000'000 + micros;
}

std::string time_of(std::int64_t time_us) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(time_us)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

std::string json_plain(std::string_view inside) {
  if (inside.find('\\') == std::string_view::npos) return std::string(inside);
  const auto parsed = nlohmann::json::parse("\"" + std::string(inside) + "\"", nullptr, false);
  return parsed.is_string() ? parsed.get<std::string>() : std::string(inside);
}

}  // namespace trunkline::audit
