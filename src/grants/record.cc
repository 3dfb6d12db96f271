#include "grants/record.h"

#include <algorithm>
#include <array>
#include <exception>

#include <nlohmann/json.hpp>

namespace trunkline::grants {

namespace {

using json = nlohmann::json;

constexpr std::array<std::string_view, state_count> state_names = {
    "open", "denied", "withdrawn", "timed_out", "active", "expired", "revoked"};

wall_time time_of(const json& from, const char* name) {
  return wall_time(std::chrono::milliseconds(from.at(name).get<std::int64_t>()));
}

json rule_json(const config::access_approval& of) {
  return {{"anyOf", of.any_of},           {"allOf", of.all_of},  {"count", of.count},
          {"breakGlass", of.break_glass}, {"reason", of.reason}, {"wait", of.wait.count()}};
}

config::access_approval rule_of(const json& from) {
  config::access_approval made;
  from.at("anyOf").get_to(made.any_of);
  from.at("allOf").get_to(made.all_of);
  from.at("count").get_to(made.count);
  from.at("breakGlass").get_to(made.break_glass);
  from.at("reason").get_to(made.reason);
  made.wait = std::chrono::milliseconds(from.at("wait").get<std::int64_t>());
  return made;
}

json approvals_json(const std::vector<approval>& of) {
  json list = json::array();
  for (const auto& each : of)
    list.push_back({{"by", each.by}, {"when", millis(each.when)}, {"reason", each.reason}, {"as", each.as}});
  return list;
}

std::vector<approval> approvals_of(const json& from) {
  std::vector<approval> made;
  for (const json& each : from) {
    made.push_back({.by = each.at("by"),
                    .when = time_of(each, "when"),
                    .reason = each.at("reason"),
                    .as = each.at("as").get<std::vector<std::string>>()});
  }
  return made;
}

record parsed(const json& from) {
  record made;
  from.at("id").get_to(made.id);
  made.what = {.principal = from.at("principal"),
               .policy = from.at("policy"),
               .terms = from.at("terms"),
               .route = from.at("route"),
               .database = from.at("database"),
               .user = from.at("user")};
  from.at("groups").get_to(made.groups);
  from.at("client").get_to(made.client);
  from.at("reason").get_to(made.reason);
  from.at("role").get_to(made.role);
  made.rule = rule_of(from.at("rule"));
  made.now = state_of(from.at("state").get_ref<const std::string&>()).value();
  made.asked = time_of(from, "asked");
  made.answer_by = time_of(from, "answerBy");
  made.length = std::chrono::milliseconds(from.at("length").get<std::int64_t>());
  from.at("byHand").get_to(made.by_hand);
  from.at("gateways").get_to(made.gateways);
  made.approvals = approvals_of(from.at("approvals"));
  from.at("breakGlass").get_to(made.break_glass);
  made.from = time_of(from, "from");
  made.until = time_of(from, "until");
  if (!from.at("over").is_null()) made.over = time_of(from, "over");
  from.at("overBy").get_to(made.over_by);
  from.at("overReason").get_to(made.over_reason);
  return made;
}

}  // namespace

wall_time wall_now() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

std::string subject::key() const {
  // Lengths before the parts: no choice of names makes two of them one.
  std::string made;
  for (const std::string* each : {&principal, &policy, &terms, &route, &database, &user})
    made += std::to_string(each->size()) + ':' + *each;
  return made;
}

std::string_view name_of(state which) {
  return state_names[static_cast<std::size_t>(which)];
}

std::optional<state> state_of(std::string_view name) {
  const auto* found = std::find(state_names.begin(), state_names.end(), name);
  if (found == state_names.end()) return std::nullopt;
  return static_cast<state>(found - state_names.begin());
}

std::string to_text(const record& of) {
  const json made{{"id", of.id},
                  {"principal", of.what.principal},
                  {"policy", of.what.policy},
                  {"terms", of.what.terms},
                  {"route", of.what.route},
                  {"database", of.what.database},
                  {"user", of.what.user},
                  {"groups", of.groups},
                  {"client", of.client},
                  {"reason", of.reason},
                  {"role", of.role},
                  {"rule", rule_json(of.rule)},
                  {"state", name_of(of.now)},
                  {"asked", millis(of.asked)},
                  {"answerBy", millis(of.answer_by)},
                  {"length", of.length.count()},
                  {"byHand", of.by_hand},
                  {"gateways", of.gateways},
                  {"approvals", approvals_json(of.approvals)},
                  {"breakGlass", of.break_glass},
                  {"from", millis(of.from)},
                  {"until", millis(of.until)},
                  {"over", of.over ? json(millis(*of.over)) : json(nullptr)},
                  {"overBy", of.over_by},
                  {"overReason", of.over_reason}};
  // What a client sends need not be UTF-8.
  return made.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<record> record_of(std::string_view text) {
  const json from = json::parse(text, nullptr, false);
  if (!from.is_object()) return std::nullopt;
  try {
    return parsed(from);
  } catch (const std::exception&) {  // a part is missing, or of another kind
    return std::nullopt;
  }
}

bool same_person(std::string_view one, std::string_view other) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [&](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace trunkline::grants
