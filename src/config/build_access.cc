#include "config/build_access.h"

#include <array>
#include <tuple>
#include <utility>

#include "config/values.h"

namespace trunkline::config {

namespace {

using std::chrono::minutes;

constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

std::optional<std::size_t> day_of(std::string_view name) {
  const auto found = std::find(day_names.begin(), day_names.end(), name);
  if (found == day_names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - day_names.begin());
}

/// "mon", or "fri-mon" over the end of the week.
std::optional<std::uint8_t> days_of(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = day_of(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : day_of(text.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  unsigned bits = 0;
  for (std::size_t day = *first;; day = (day + 1) % 7) {
    bits |= 1U << day;
    if (day == *last) return static_cast<std::uint8_t>(bits);
  }
}

/// "08:30"; 24:00 is the end of the day.
std::optional<minutes> minutes_of(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hour = parse_integer(text.substr(0, 2));
  const auto minute = parse_integer(text.substr(3));
  if (!hour || !minute || *minute > 59 || *hour > 24 || (*hour == 24 && *minute > 0)) return std::nullopt;
  return minutes(*hour * 60 + *minute);
}

minutes read_minutes(section& from, std::string_view key) {
  const std::string text = from.text(key);
  if (const auto read = minutes_of(text)) return *read;
  if (!text.empty())
    from.refuse(key, quote(text) + " is not a time of the day", "such as 08:30, at most 24:00");
  return {};
}

std::optional<access_hours> build_hours(section from) {
  if (!from.present()) return std::nullopt;
  access_hours made;
  const auto days = from.texts("days");
  if (!days.empty()) made.days = 0;
  for (const auto& each : days) {
    const auto bits = days_of(each);
    if (!bits) from.refuse("days", quote(each) + " is no day", "mon to sun, or a range such as mon-fri");
    made.days = static_cast<std::uint8_t>(made.days | bits.value_or(0));
  }
  made.from = read_minutes(from, "from");
  made.until = read_minutes(from, "until");
  made.time_zone = from.text("timeZone");
  return made;
}

std::optional<access_approval> build_approval(section from) {
  if (!from.present()) return std::nullopt;
  access_approval made;
  made.any_of = from.texts("anyOf");
  made.all_of = from.texts("allOf");
  made.count = static_cast<unsigned>(from.integer("count"));
  made.break_glass = from.texts("breakGlass");
  made.reason = from.boolean("reason");
  made.wait = from.duration("wait");
  return made;
}

std::vector<statement_class> build_denied(section& from) {
  std::vector<statement_class> made;
  for (const auto& each : from.texts("denied")) {
    const auto found = std::find_if(statement_classes.begin(), statement_classes.end(),
                                    [&](const auto& entry) { return entry.name == each; });
    if (found != statement_classes.end()) {
      made.push_back(found->value);
    } else {
      from.refuse("denied", quote(each) + " is no class of statements",
                  "ddl, copyProgram, do, roles or unqualifiedWrite");
    }
  }
  return made;
}

access_policy build_policy(section from) {
  access_policy made;
  made.name = from.text("name");
  made.name_space = from.name_space();
  made.effect = from.choice("effect", access_effects);
  section who = from.child("subjects");
  made.subjects = {.users = who.texts("user"),
                   .groups = who.texts("group"),
                   .service_accounts = who.texts("serviceAccount"),
                   .spiffe = who.texts("spiffe")};
  section what = from.child("objects");
  made.routes = what.texts("route");
  // Of an object: routes of its namespace, which alone it is for.
  for (auto& each : made.routes)
    if (from.of_object()) each = made.name_space + "/" + each;
  made.databases = what.texts("database");
  made.sources = from.ranges("source");
  made.hours = build_hours(from.child("hours"));
  made.level = from.choice("level", access_levels);
  made.role = from.text("role");
  made.denied = build_denied(from);
  made.replication = from.boolean("replication");
  made.max_length = from.duration("maxLength");
  made.settings = from.parameters("settings");
  section limits = from.child("limits");
  made.max_rows = static_cast<std::uint64_t>(limits.integer("rows"));
  made.max_bytes = limits.size("bytes");
  made.approval = build_approval(from.child("approval"));
  return made;
}

}  // namespace

access build_access(section from) {
  access made;
  for (auto& entry : from.children("policies"))
    made.policies.push_back(build_policy(entry));
  made.store = from.folder("store");
  made.administrators = from.texts("administrators");
  for (auto& entry : from.children("webhooks")) {
    access_webhook hook;
    std::tie(hook.url, hook.url_file) = entry.secret_url();
    std::tie(hook.secret, hook.secret_file) = entry.key_file("secretFile");
    hook.format = entry.choice("format", webhook_formats);
    made.webhooks.push_back(std::move(hook));
  }
  return made;
}

}  // namespace trunkline::config
