#include "pgbouncer/ini_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>
#include <utility>

#include "config/values.h"

namespace trunkline::pgbouncer {

namespace {

/// As strtol with base 0: a sign, then decimal, 0x and hexadecimal, or 0 and octal.
std::optional<std::int64_t> parse_number(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  } else if (text.size() > 1 && text.starts_with('0')) {
    base = 8;
  }
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value, base);
  if (read.ec != std::errc() || read.ptr != end || value < 0) return std::nullopt;
  return negative ? -value : value;
}

/// Bounded, so that it fits whatever it becomes.
std::optional<std::chrono::milliseconds> parse_seconds(std::string_view text) {
  constexpr double most = 10'000.0 * 86'400;
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc() || read.ptr != end || !(value >= 0) || value > most) return std::nullopt;
  // What is not nothing stays something.
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::ceil(value * 1000)));
}

bool is_mode(std::string_view text) {
  return text == "session" || text == "transaction" || text == "statement";
}

std::string expectation(value_form form) {
  switch (form) {
    case value_form::number:
      return "a whole number";
    case value_form::seconds:
      return "seconds, such as 30 or 0.5";
    case value_form::mode:
      return "session, transaction or statement";
    case value_form::text:
      return "text";
  }
  return "";
}

bool fits(value_form form, const std::string& text) {
  switch (form) {
    case value_form::number:
      return parse_number(text).has_value();
    case value_form::seconds:
      return parse_seconds(text).has_value();
    case value_form::mode:
      return is_mode(text);
    case value_form::text:
      return true;
  }
  return false;
}

std::string suggestion(std::string_view name, std::vector<std::string> names) {
  const auto near = config::nearest(name, names);
  return near ? fmt::format(", did you mean `{}`?", *near) : "";
}

/// As a message may show it: the key of a line that is wrong may be anything.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 63))
    out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

/// Takes the first pair off `rest`; the rules of blanks are PgBouncer's.
std::expected<std::pair<std::string, secret_text>, std::string> take_pair(std::string_view& rest) {
  const auto skip = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size())); };
  const auto end = std::min(rest.find_first_of("= \t"), rest.size());
  std::string key(rest.substr(0, end));
  rest.remove_prefix(end);
  skip();
  if (key.empty() || !rest.starts_with('=')) return std::unexpected("no `=` behind `" + shown(key) + "`");
  rest.remove_prefix(1);
  skip();
  std::string value;
  if (!rest.starts_with('\'')) {
    const auto stop = std::min(rest.find_first_of(" \t"), rest.size());
    value = rest.substr(0, stop);
    rest.remove_prefix(stop);
  } else {
    bool closed = false;
    rest.remove_prefix(1);
    while (!rest.empty() && !closed) {
      const bool quote = rest.front() == '\'';
      closed = quote && !rest.substr(1).starts_with('\'');
      if (!closed) value += rest.front();
      rest.remove_prefix(quote && !closed ? 2 : 1);
    }
    if (!closed) return std::unexpected("the quote of `" + shown(key) + "` is not closed");
  }
  if (value.empty()) return std::unexpected("`" + shown(key) + "` has no value");
  return std::pair(std::move(key), secret_text(std::move(value)));
}

/// Entry after entry into sections.
class settings_reader {
 public:
  void take(const ini_entry& entry);
  ini_settings made;
  std::vector<config::problem> problems;

 private:
  void begin(const ini_entry& entry);
  void take_named(const ini_entry& entry, std::vector<named_values>& to);
  void refuse(const ini_entry& entry, std::string text, std::string expected) {
    problems.push_back(problem_at(entry.where, shown(entry.key), std::move(text), std::move(expected)));
  }
};

void settings_reader::begin(const ini_entry& entry) {
  const auto names = section_names();
  if (std::find(names.begin(), names.end(), entry.section) == names.end()) {
    problems.push_back(problem_at(
        entry.where, "",
        fmt::format("unknown section [{}]{}", shown(entry.section),
                    suggestion(entry.section, std::vector<std::string>(names.begin(), names.end()))),
        "[databases], [users], [pgbouncer] or [peers]"));
  }
  // As PgBouncer: a section that begins sets all its defaults.
  if (entry.section == "pgbouncer") made.globals = given_values("pgbouncer");
}

void settings_reader::take_named(const ini_entry& entry, std::vector<named_values>& to) {
  if (entry.section == "databases" && entry.key == "pgbouncer")
    return refuse(entry, "is the name of the console", "another name");
  const std::string_view section = *std::find(section_names().begin(), section_names().end(), entry.section);
  named_values made_of{.name = entry.key, .where = entry.where, .values = given_values(section)};
  const auto pairs = split_pairs(entry.value.reveal());
  if (!pairs) return refuse(entry, pairs.error(), "key=value key='value'");
  for (const auto& [name, value] : *pairs) {
    auto wrong = made_of.values.set(name, {.value = value, .where = entry.where});
    if (!wrong) continue;
    wrong->key = shown(entry.key) + ": " + wrong->key;
    problems.push_back(std::move(*wrong));
  }
  if (entry.section == "peers") {
    const auto id = parse_number(entry.key);
    if (!id || *id < 1 || *id > 65'535)
      return refuse(entry, "is no peer's number", "a number from 1 to 65535");
    if (!made_of.values.has("host")) return refuse(entry, "has no host", "host=... port=...");
  }
  const auto same =
      std::find_if(to.begin(), to.end(), [&](const named_values& each) { return each.name == entry.key; });
  if (same == to.end()) {
    to.push_back(std::move(made_of));
  } else {
    *same = std::move(made_of);
  }
}

void settings_reader::take(const ini_entry& entry) {
  if (entry.key.empty()) return begin(entry);
  if (entry.section == "databases") return take_named(entry, made.databases);
  if (entry.section == "users") return take_named(entry, made.users);
  if (entry.section == "peers") return take_named(entry, made.peers);
  if (entry.section != "pgbouncer") return;  // told where it begins
  auto wrong = made.globals.set(entry.key, {.value = entry.value, .where = entry.where});
  if (wrong) problems.push_back(std::move(*wrong));
}

}  // namespace

std::optional<config::problem> given_values::set(const std::string& name, given_value value) {
  const setting* known = find_setting(section_, name);
  if (known == nullptr) {
    std::vector<std::string> names;
    for (const setting& each : settings_of(section_))
      names.emplace_back(each.name);
    return problem_at(value.where, shown(name), "unknown setting" + suggestion(name, std::move(names)),
                      "a setting of PgBouncer 1.25");
  }
  if (!fits(known->form, value.value.reveal()))
    return problem_at(value.where, name, "cannot be that", expectation(known->form));
  values_.insert_or_assign(name, std::move(value));
  return std::nullopt;
}

const given_value* given_values::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::string given_values::text(std::string_view name) const {
  if (const auto* given = find(name)) return given->value.reveal();
  const setting* known = find_setting(section_, name);
  return known == nullptr ? "" : std::string(known->standard);
}

std::int64_t given_values::number(std::string_view name) const {
  return parse_number(text(name)).value_or(0);
}

std::chrono::milliseconds given_values::seconds(std::string_view name) const {
  return parse_seconds(text(name)).value_or(std::chrono::milliseconds(0));
}

bool given_values::differs(std::string_view name) const {
  const setting* known = find_setting(section_, name);
  const auto* given = find(name);
  if (known == nullptr || given == nullptr) return false;
  const std::string standard(known->standard);
  if (known->form == value_form::number) return parse_number(given->value.reveal()) != parse_number(standard);
  if (known->form == value_form::seconds)
    return parse_seconds(given->value.reveal()) != parse_seconds(standard);
  return given->value.reveal() != standard;
}

std::expected<ini_settings, std::vector<config::problem>> read_settings(const ini_file& from) {
  settings_reader reader;
  for (const ini_entry& each : from.entries)
    reader.take(each);
  if (!reader.problems.empty()) return std::unexpected(std::move(reader.problems));
  reader.made.files = from.files;
  return std::move(reader.made);
}

std::expected<std::vector<std::pair<std::string, secret_text>>, std::string> split_pairs(
    std::string_view text) {
  std::vector<std::pair<std::string, secret_text>> pairs;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    if (text.empty()) return pairs;
    auto pair = take_pair(text);
    if (!pair) return std::unexpected(std::move(pair.error()));
    pairs.push_back(std::move(*pair));
  }
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!part.empty() && (part.front() == ' ' || part.front() == '\t'))
      part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t'))
      part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

}  // namespace trunkline::pgbouncer
