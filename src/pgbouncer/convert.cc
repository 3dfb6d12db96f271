#include "pgbouncer/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/schema.h"
#include "config/values.h"
#include "pgbouncer/conversion_state.h"

namespace trunkline::pgbouncer {

namespace {

bool is_name_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' ||
         c == '.';
}

/// Every setting that is not carried over as it is; what is mapped speaks for itself where it is made.
void tell_of(conversion_state& state, const given_values& values, std::string_view owner) {
  for (const auto& [name, given] : values.all()) {
    const setting* known = find_setting(values.section(), name);
    const bool lost = known->becomes == fate::no_equal && values.differs(name);
    const bool moved = known->becomes == fate::elsewhere && values.differs(name);
    if (!lost && !moved) continue;
    // What JDBC sends, and what every server takes.
    if (name == "ignore_startup_parameters" && given.value.reveal() == "extra_float_digits") continue;
    const std::string key = owner.empty() ? name : fmt::format("{}: {}", owner, name);
    state.tell(known->becomes, given.where, key, std::string(known->word));
  }
}

std::string yaml_head(const conversion_state& state) {
  yaml_writer head;
  head.comment("From " + state.from.files.front() + ", by `trunkline import pgbouncer`.");
  for (const note& each : state.made.notes)
    head.comment(each.render());
  return head.take();
}

}  // namespace

std::string note::render() const {
  std::string text_form = where.file;
  if (where.line > 0) text_form += fmt::format(":{}", where.line);
  return printable(fmt::format("{}: {}: {}: {}", text_form, key, name_of(why), text));
}

void conversion_state::tell(fate why, const place& where, std::string key, std::string text) {
  const bool told = std::any_of(made.notes.begin(), made.notes.end(), [&](const note& each) {
    return each.key == key && each.text == text && each.where.line == where.line;
  });
  if (!told)
    made.notes.push_back({.why = why, .where = where, .key = std::move(key), .text = std::move(text)});
}

void conversion_state::tell(fate why, const given_values& of, std::string_view key, std::string text) {
  const auto* given = of.find(key);
  tell(why, given == nullptr ? place{.file = from.files.front()} : given->where, std::string(key),
       std::move(text));
}

void conversion_state::problem(const given_values& of, std::string_view key, std::string text,
                               std::string expected) {
  const auto* given = of.find(key);
  problems.push_back(problem_at(given == nullptr ? place{.file = from.files.front()} : given->where,
                                std::string(key), std::move(text), std::move(expected)));
}

std::string conversion_state::word(const given_values& of, std::string_view key,
                                   std::initializer_list<std::string_view> words) {
  const std::string value = of.text(key);
  if (std::find(words.begin(), words.end(), value) != words.end()) return value;
  problem(of, key, "cannot be that", config::enumerate(std::vector<std::string>(words.begin(), words.end())));
  return std::string(*words.begin());
}

std::int64_t conversion_state::bounded(const given_values& of, std::string_view key, std::string_view our_key,
                                       std::int64_t value) {
  const auto* ours = config::find_key(our_key);
  if (ours == nullptr) return value;
  const auto inside = std::clamp(value, ours->least, ours->most);
  if (inside != value && of.has(key))
    tell(fate::no_equal, of, key, fmt::format("{} takes {}", our_key, config::expectation(*ours)));
  return inside;
}

std::string conversion_state::duration(const given_values& of, std::string_view key, std::string_view our_key,
                                       std::chrono::milliseconds value) {
  return config::format_duration(std::chrono::milliseconds(bounded(of, key, our_key, value.count())));
}

std::string conversion_state::new_name(std::string_view wish) {
  std::string name;
  for (const char c : wish.substr(0, limits::config_name_bytes - 8))
    name += is_name_character(c) ? c : '_';
  if (name.empty()) name = "_";
  std::string unique = name;
  for (int number = 2; !names.insert(unique).second; ++number)
    unique = fmt::format("{}-{}", name, number);
  return unique;
}

std::string conversion_state::variable(std::string_view wish, const secret_text& secret) {
  std::string name = "TRUNKLINE_PASSWORD_";
  for (const char c : wish.substr(0, 60)) {
    const bool lower = c >= 'a' && c <= 'z';
    const bool fine = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    name += lower ? static_cast<char>(c - 'a' + 'A') : fine ? c : '_';
  }
  std::string unique = name;
  for (int number = 2;; ++number) {
    const auto [at, is_new] = made.secrets.try_emplace(unique, secret);
    if (is_new || at->second.reveal() == secret.reveal()) return unique;
    unique = fmt::format("{}_{}", name, number);
  }
}

std::string conversion_state::absolute(const std::string& path) const {
  return path.empty() || path.front() == '/' ? path : here.folder + "/" + path;
}

bool is_taken(std::string_view our_key) {
  const auto* key = config::find_key(our_key);
  return key != nullptr && key->kind != config::value_kind::later;
}

bool takes_word(std::string_view our_key, std::string_view word) {
  const auto* key = config::find_key(our_key);
  return key != nullptr && std::find(key->choices.begin(), key->choices.end(), word) != key->choices.end();
}

std::string as_pattern(std::string_view name) {
  std::string pattern(name);
  std::replace(pattern.begin(), pattern.end(), '*', '?');
  return pattern;
}

void tell_of_settings(conversion_state& state) {
  tell_of(state, state.globals(), "");
  for (const auto& each : state.from.databases)
    tell_of(state, each.values, each.name);
  for (const auto& each : state.from.users)
    tell_of(state, each.values, each.name);
  state.made.process = {
      .logfile = state.absolute(state.globals().text("logfile")),
      .pidfile = state.absolute(state.globals().text("pidfile")),
      .user = state.globals().text("user"),
      .verbose = static_cast<int>(std::clamp<std::int64_t>(state.globals().number("verbose"), 0, 9))};
}

std::expected<conversion, std::vector<config::problem>> convert(const ini_settings& from,
                                                                const surroundings& here) {
  conversion_state state{.from = from, .here = here};
  tell_of_settings(state);
  convert_listeners(state);
  read_users(state);
  convert_databases(state);
  convert_rest(state);
  convert_peers(state);
  if (!state.problems.empty()) return std::unexpected(std::move(state.problems));
  state.made.yaml = yaml_head(state) + state.out.take();
  return std::move(state.made);
}

}  // namespace trunkline::pgbouncer
