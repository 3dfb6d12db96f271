#include "session/session_traces.h"

#include <algorithm>

#include "base/limits.h"

namespace trunkline::session {

using sql::effect;

namespace {

struct reason {
  effect bit;
  const char* name;
};

/// As SHOW PINNED and the metric call them.
constexpr reason objects[] = {
    {effect::prepare, "prepare"},
    {effect::temporary, "temporary"},
    {effect::hold_cursor, "hold_cursor"},
    {effect::advisory_lock, "advisory_lock"},
    {effect::listen, "listen"},
    {effect::sequence_read, "sequence"},
    {effect::load, "load"},
    {effect::seed, "seed"},
    {effect::connection, "connection"},
    {effect::session_bound, "session_bound"},
};
/// No question to the server finds these.
constexpr reason invisible[] = {
    {effect::sequence_read, "sequence"},
    {effect::load, "load"},
    {effect::seed, "seed"},
    {effect::connection, "connection"},
    {effect::session_bound, "session_bound"},
};

constexpr std::uint32_t bit(effect of) {
  return static_cast<std::uint32_t>(of);
}
/// DISCARD ALL leaves these.
constexpr effect beyond_reset[] = {effect::load, effect::seed, effect::connection, effect::session_bound};
/// Nothing stays of these by themselves.
constexpr std::uint32_t harmless = bit(effect::close_cursor) | bit(effect::creates) | bit(effect::path);

bool contains_word(std::string_view text, std::string_view lower) {
  const auto found = std::search(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
  return found != text.end();
}

/// A setting with a name of the user's own.
bool is_custom(std::string_view name) {
  return name.find('.') != std::string_view::npos;
}

std::string array_of(const std::vector<std::string>& names) {
  std::string out = "ARRAY[";
  for (const auto& each : names)
    out += (out.size() > 6 ? "," : "") + pool::quote_literal(each);
  return out + "]::pg_catalog.text[]";
}

/// Kind, name, value, and whether it is what RESET would make of it.
constexpr std::string_view all_settings =
    " UNION ALL SELECT 's', pg_catalog.lower(p.name), p.setting, CASE WHEN p.setting IS NOT DISTINCT FROM "
    "p.reset_val THEN 'd' ELSE '' END FROM pg_catalog.pg_settings p WHERE p.source = 'session'";
constexpr std::string_view objects_query =
    " UNION ALL SELECT 'o', 'prepare', '', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_statements s "
    "WHERE s.from_sql)"
    " UNION ALL SELECT 'o', 'temporary', '', '' WHERE pg_catalog.pg_my_temp_schema() <> 0 AND (EXISTS "
    "(SELECT FROM "
    "pg_catalog.pg_class c WHERE c.relnamespace = pg_catalog.pg_my_temp_schema()) OR EXISTS (SELECT FROM "
    "pg_catalog.pg_proc f WHERE f.pronamespace = pg_catalog.pg_my_temp_schema()) OR EXISTS (SELECT FROM "
    "pg_catalog.pg_type t WHERE t.typnamespace = pg_catalog.pg_my_temp_schema()))"
    " UNION ALL SELECT 'o', 'hold_cursor', '', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors)"
    " UNION ALL SELECT 'o', 'listen', '', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"
    " UNION ALL SELECT 'o', 'advisory_lock', '', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE "
    "l.locktype = 'advisory' AND l.pid = pg_catalog.pg_backend_pid())"
    " UNION ALL SELECT 'o', 'session_authorization', '', '' WHERE session_user <> ";

}  // namespace

const char* session_traces::unsafe_reason(const sql::effects& of) {
  for (const auto& each : objects)
    if (each.bit != effect::sequence_read && of.has(each.bit)) return each.name;
  return nullptr;
}

void session_traces::note_kind(const sql::effects& of) {
  using kind = sql::statement_kind;
  const bool reads = of.kind == kind::read_only || of.kind == kind::begins || of.kind == kind::empty;
  wrote_ = wrote_ || (!reads && !of.keeps_sequences) || of.statements > 1;
}

bool session_traces::note(const sql::effects& of, std::string_view text) {
  bits_ |= of.bits & ~harmless;
  for (const auto& each : of.settings)
    if (std::find(names_.begin(), names_.end(), each) == names_.end()) names_.push_back(each);
  const bool back =
      of.has(effect::reset_all) || contains_word(text, "reset") || contains_word(text, "default");
  to_default_ = to_default_ || back;
  for (const auto& each : invisible)
    if (of.has(each.bit)) sticky_ = each.name;
  // No list shows a setting with a name of the user's own.
  if (of.has(effect::all_settings)) sticky_ = "settings";
  for (const effect each : beyond_reset)
    beyond_reset_ = beyond_reset_ || of.has(each);
  return back;
}

void session_traces::note_set_back(const pool::setting_map& at_start) {
  to_default_ = true;
  for (const auto& [name, value] : at_start.entries())
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
}

std::string session_traces::inspection(std::string_view user, const known_settings& known) const {
  auto names = names_;
  if (bits_ != 0) names.emplace_back("role");  // which no list shows
  if (has(effect::reset_all)) {
    for (const pool::setting_map* each :
         std::initializer_list<const pool::setting_map*>{&known.session, &known.at_start})
      for (const auto& [name, value] : each->entries())
        if (is_custom(name)) names.push_back(name);
  }
  std::string query =
      "SELECT 'n', n, pg_catalog.current_setting(n, true), CASE WHEN pg_catalog.current_setting(n, true) IS "
      "NULL OR "
      "EXISTS (SELECT FROM pg_catalog.pg_settings p WHERE pg_catalog.lower(p.name) = n AND p.setting IS NOT "
      "DISTINCT "
      "FROM p.reset_val AND p.source <> 'session') THEN 'd' ELSE '' END FROM pg_catalog.unnest(" +
      array_of(names) + ") n";
  if (bits_ != 0) query.append(all_settings).append(objects_query).append(pool::quote_literal(user));
  return query;
}

void session_traces::take_object(const side_errand::row& found) {
  for (const auto& object : objects)
    if (found[1] == object.name) pinned_ = object.name;
  if (found[1] == "session_authorization") pinned_ = "session_authorization";
}

void session_traces::take_setting(const side_errand::row& found, const known_settings& known) const {
  const std::string& name = found[1];
  const std::string& value = found[2];
  const std::string* start = known.at_start.find(name);
  // One of the list has been set, be it to the server's default: that is not the client's own.
  const bool set_to_it = found[0] == "s" && start != nullptr;
  const bool is_default = (found[3] == "d" && !set_to_it) || (name == "role" && value == known.role);
  // What has a name of the user's own is empty after a RESET.
  if (is_custom(name) && value.empty() && set_back() && start != nullptr) {
    known.link.set(name, value);
    known.session.set(name, *start);
  } else if (is_default) {
    known.session.erase(name);
    known.link.erase(name);
  } else {
    known.session.set(name, value);
    known.link.set(name, value);
  }
}

/// What the client has asked for at its start, where it has been set back.
void session_traces::restore(const known_settings& known) const {
  for (const auto& [name, value] : known.at_start.entries()) {
    const bool named = std::find(names_.begin(), names_.end(), name) != names_.end();
    if ((named || has(effect::reset_all)) && known.session.find(name) == nullptr)
      known.session.set(name, value);
  }
}

void session_traces::take(const std::vector<side_errand::row>& rows, known_settings known, bool over) {
  // Functions that nobody has looked into may have set what no list shows.
  tainted_ = tainted_ || has(effect::inspect);
  if (bits_ != 0) {
    pinned_ = nullptr;
    // What can be listed is listed; names that only the client's texts tell are kept beside that.
    pool::setting_map custom;
    for (const auto& [name, value] : known.session.entries())
      if (is_custom(name)) custom.set(name, value);
    known.session = known.link = custom;
  }
  for (const auto& each : rows) {
    if (each.size() != 4) continue;
    each[0] == "o" ? take_object(each) : take_setting(each, known);
  }
  if (set_back()) restore(known);
  if (known.session.bytes() > limits::session_settings) pinned_ = "settings";
  if (over) forget();
}

void session_traces::forget() {
  bits_ = 0;
  names_.clear();
  to_default_ = false;
}

void session_traces::not_known() {
  pinned_ = "unknown";
  tainted_ = true;
  forget();
}

}  // namespace trunkline::session
