#include "k8s/access_request.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include "auth/sha256.h"
#include "base/bytes.h"
#include "base/limits_kubernetes.h"
#include "config/values.h"
#include "k8s/access_request_text.h"

namespace trunkline::k8s {

namespace {

using grants::record;
using grants::wall_time;
using std::chrono::milliseconds;

/// Why an object is bad.
struct unreadable {
  std::string why;
};

wall_time time_at(const json& in, const char* key) {
  const auto read = time_of(text_of(in, key));
  if (!read) throw unreadable{std::string(key) + " is no time"};
  return *read;
}

wall_time time_or_none(const json& in, const char* key) {
  return field_of(in, key).is_null() ? wall_time{} : time_at(in, key);
}

milliseconds duration_at(const json& in, const char* key) {
  const auto read = config::parse_duration(text_of(in, key));
  if (!read) throw unreadable{std::string(key) + " is no duration"};
  return *read;
}

std::vector<std::string> texts_of(const json& in, const char* key) {
  const json& value = field_of(in, key);
  return value.is_null() ? std::vector<std::string>() : value.get<std::vector<std::string>>();
}

config::access_approval rule_of(const json& from) {
  config::access_approval made;
  made.any_of = texts_of(from, "anyOf");
  made.all_of = texts_of(from, "allOf");
  made.count = from.at("count").get<unsigned>();
  made.break_glass = texts_of(from, "breakGlass");
  made.reason = flag_of(from, "reason", true);
  made.wait = duration_at(from, "wait");
  return made;
}

std::vector<grants::approval> approvals_of(const json& status) {
  std::vector<grants::approval> made;
  for (const json& each : field_of(status, "approvals")) {
    made.push_back({.by = each.at("by"),
                    .when = time_at(each, "at"),
                    .reason = text_of(each, "reason"),
                    .as = texts_of(each, "as")});
  }
  return made;
}

std::vector<grants::judged_answer> judged_of(const json& status) {
  std::vector<grants::judged_answer> made;
  for (const json& each : field_of(status, "answers")) {
    const auto what = decision_of(text_of(each, "decision"));
    if (!what) throw unreadable{"an answer decides nothing"};
    made.push_back({.id = each.at("id"),
                    .by = each.at("by"),
                    .what = *what,
                    .when = time_at(each, "at"),
                    .counted = each.at("counted"),
                    .why = text_of(each, "message")});
  }
  return made;
}

/// What the status says of what was asked for.
void read_question(const json& asked, record& into) {
  into.what = {.principal = asked.at("principal"),
               .policy = asked.at("policy"),
               .terms = asked.at("terms"),
               .route = asked.at("route"),
               .database = asked.at("database"),
               .user = asked.at("user")};
  into.groups = texts_of(asked, "groups");
  into.client = text_of(asked, "client");
  into.reason = text_of(asked, "reason");
  into.role = text_of(asked, "role");
  into.rule = rule_of(asked.at("rule"));
  into.length = duration_at(asked, "duration");
  into.by_hand = flag_of(asked, "byHand", false);
}

void check(const record& of) {
  if (of.now == grants::state::active && !of.is_grant()) throw unreadable{"it is active from no time on"};
  if (of.is_grant() && of.until < of.from) throw unreadable{"it ends before it begins"};
  if (!grants::is_live(of.now) && !of.over) throw unreadable{"it has ended at no time"};
  if (of.what.principal.empty() || of.what.route.empty()) throw unreadable{"it is for nobody, or nothing"};
}

record record_in(const json& status) {
  record made;
  made.now = state_of(text_of(status, "state")).value();
  read_question(status.at("request"), made);
  made.asked = time_at(status, "asked");
  made.answer_by = time_at(status, "answerBy");
  made.gateways = texts_of(status, "waiting");
  made.approvals = approvals_of(status);
  made.break_glass = flag_of(status, "breakGlass", false);
  made.from = time_or_none(status, "from");
  made.until = time_or_none(status, "until");
  if (const auto over = time_or_none(status, "ended"); over != wall_time{}) made.over = over;
  made.over_by = text_of(status, "endedBy");
  made.over_reason = text_of(status, "endReason");
  made.judged = judged_of(status);
  check(made);
  return made;
}

/// What people decide by has to be what they are asked.
void check_spec(const json& spec, const access_request& of) {
  const grants::subject& what = of.of.what;
  const std::string route = text_of(spec, "route");
  const bool same = text_of(spec, "principal") == what.principal &&
                    (route == what.route || of.name_space + "/" + route == what.route) &&
                    text_of(spec, "database") == what.database;
  if (!same) throw unreadable{"its spec and its status are about different things"};
}

/// Those that no desk has judged, in their order.
std::vector<grants::written_answer> unjudged_in(const json& spec, const record& of) {
  std::vector<grants::written_answer> made;
  for (const json& each : field_of(spec, "answers")) {
    const auto what = decision_of(text_of(each, "decision"));
    const std::string id = answer_id(each);
    const bool known = std::any_of(of.judged.begin(), of.judged.end(),
                                   [&](const grants::judged_answer& one) { return one.id == id; });
    if (!what || known || text_of(each, "by").empty()) continue;
    const auto length = config::parse_duration(text_of(each, "duration"));
    made.push_back({.id = id,
                    .by = {.principal = text_of(each, "by"), .groups = texts_of(each, "groups")},
                    .what = *what,
                    .reason = text_of(each, "reason").substr(0, limits::access_reason_bytes),
                    .length = length.value_or(milliseconds(0))});
    if (made.size() == limits::k8s_answers) break;
  }
  return made;
}

void read_record(const json& object, const request_scope& scope, access_request& into) {
  const json& spec = field_of(object, "spec");
  into.of = record_in(field_of(object, "status"));
  into.of.id = request_number(into.uid);
  into.of.place = into.place();
  into.of.object_id = into.uid;
  if (namespace_of_route(into.of.what.route, scope) != into.name_space)
    throw unreadable{"its route is of another namespace"};
  check_spec(spec, into);
  into.of.unjudged = unjudged_in(spec, into.of);
  into.subject = subject_key(into.of.what, scope);
  into.what = access_request::kind::record;
}

void read_wish(const json& spec, access_request& into) {
  into.asked = {.place = into.place(),
                .name_space = into.name_space,
                .by = {.principal = text_of(spec, "principal"), .groups = texts_of(spec, "groups")},
                .route = text_of(spec, "route"),
                .database = text_of(spec, "database"),
                .user = text_of(spec, "user"),
                .reason = text_of(spec, "reason")};
  if (into.asked.by.principal.empty()) throw unreadable{"nobody asks"};
  if (!field_of(spec, "duration").is_null()) into.asked.length = duration_at(spec, "duration");
  into.what = access_request::kind::wish;
}

void read_draft(const json& spec, const request_scope& scope, access_request& into) {
  into.subject = subject_key({.principal = text_of(spec, "principal"),
                              .policy = text_of(spec, "policy"),
                              .terms = text_of(spec, "terms"),
                              .route = text_of(spec, "route"),
                              .database = text_of(spec, "database"),
                              .user = text_of(spec, "user")},
                             scope);
  into.what = access_request::kind::draft;
}

/// They become parts of paths.
bool is_plain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

void read_into(const json& object, const request_scope& scope, access_request& into) {
  if (!is_plain(into.name) || !is_plain(into.name_space) || into.uid.empty())
    throw unreadable{"it has no name"};
  const json& spec = field_of(object, "spec");
  const json& status = field_of(object, "status");
  const std::string state = text_of(status, "state");
  const std::string gateway = text_of(state.empty() ? spec : status, "gateway");
  if (gateway != scope.gateway() && (!state.empty() || !gateway.empty())) return;
  if (state.empty()) {
    // Only a gateway says which policy it is; people cannot, where the admission policy is in force.
    if (text_of(spec, "policy").empty()) return read_wish(spec, into);
    return read_draft(spec, scope, into);
  }
  const auto now = state_of(state);
  if (!now) throw unreadable{"it is in no state"};
  const bool was_refused = field_of(status, "request").is_null() && !grants::is_live(*now);
  if (!was_refused) read_record(object, scope, into);
}

}  // namespace

access_request read_access_request(const json& object, const request_scope& of) {
  const json& meta = field_of(object, "metadata");
  access_request made{.name_space = text_of(meta, "namespace"),
                      .name = text_of(meta, "name"),
                      .uid = text_of(meta, "uid"),
                      .version = text_of(meta, "resourceVersion")};
  made.created = time_of(text_of(meta, "creationTimestamp")).value_or(wall_time{});
  try {
    read_into(object, of, made);
  } catch (const unreadable& problem) {
    made.problem = problem.why;
  } catch (const std::exception&) {  // a part is missing, or of another kind
    made.problem = "a part of it is missing, or of another kind";
  }
  if (!made.problem.empty()) made.what = access_request::kind::bad;
  return made;
}

std::string namespace_of_route(std::string_view route, const request_scope& of) {
  const auto slash = route.find('/');
  return slash == std::string_view::npos ? of.name_space : std::string(route.substr(0, slash));
}

std::string subject_key(const grants::subject& what, const request_scope& of) {
  const std::string text = of.gateway() + ' ' + what.key();
  return hex_of(auth::sha256({as_bytes(text)}), auth::sha256_bytes);
}

std::string object_base(const grants::subject& what, const request_scope& of) {
  constexpr std::size_t readable = 30;
  constexpr std::size_t hash = 20;
  std::string made;
  for (const char c : what.principal.substr(0, readable)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (plain)
      made += lower;
    else if (!made.empty() && made.back() != '-')
      made += '-';
  }
  if (made.empty() || made.back() != '-') made += '-';
  if (made == "-") made = "r-";
  return made + subject_key(what, of).substr(0, hash);
}

std::int64_t request_number(std::string_view uid) {
  std::int64_t made = 0;
  const auto hash = auth::sha256({as_bytes(uid)});
  for (std::size_t i = 0; i < 6; ++i)
    made = made << 8 | std::to_integer<std::int64_t>(hash[i]);
  return std::max<std::int64_t>(made, 1);
}

std::optional<wall_time> time_of(std::string_view text) {
  // 2026-11-29T14:30:00[.fraction]Z
  constexpr std::string_view shape = "0000-00-00T00:00:00";
  if (text.size() <= shape.size() || !text.ends_with('Z')) return std::nullopt;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i]) return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t size) {
    int made = 0;
    std::from_chars(text.data() + at, text.data() + at + size, made);
    return made;
  };
  const std::chrono::year_month_day day{std::chrono::year(part(0, 4)),
                                        std::chrono::month(static_cast<unsigned>(part(5, 2))),
                                        std::chrono::day(static_cast<unsigned>(part(8, 2)))};
  if (!day.ok() || part(11, 2) > 23 || part(14, 2) > 59 || part(17, 2) > 60) return std::nullopt;
  auto fraction = text.substr(shape.size(), text.size() - shape.size() - 1);
  int millis = 0;
  if (!fraction.empty()) {
    if (fraction[0] != '.' || fraction.size() < 2 || fraction.size() > 10) return std::nullopt;
    for (std::size_t i = 1; i < fraction.size(); ++i)
      if (fraction[i] < '0' || fraction[i] > '9') return std::nullopt;
    std::string three(fraction.substr(1, 3));
    three.resize(3, '0');
    std::from_chars(three.data(), three.data() + 3, millis);
  }
  return wall_time(std::chrono::sys_days(day) + std::chrono::hours(part(11, 2)) +
                   std::chrono::minutes(part(14, 2)) + std::chrono::seconds(part(17, 2)) +
                   milliseconds(millis));
}

}  // namespace trunkline::k8s
