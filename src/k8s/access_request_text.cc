#include "k8s/access_request_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "config/values.h"
#include "grants/quorum.h"
#include "grants/request_json.h"

namespace trunkline::k8s {

namespace {

using grants::record;
using grants::state;
using grants::time_text;
using grants::wall_time;

constexpr std::array<std::string_view, grants::state_count> state_texts = {
    "Open", "Denied", "Withdrawn", "TimedOut", "Active", "Expired", "Revoked"};
constexpr std::array<std::string_view, grants::decision_count> decision_texts = {"Approve", "Deny", "Revoke",
                                                                                 "Withdraw"};

json rule_json(const config::access_approval& of) {
  return {{"anyOf", of.any_of},           {"allOf", of.all_of},  {"count", std::max(of.count, 1u)},
          {"breakGlass", of.break_glass}, {"reason", of.reason}, {"wait", config::format_duration(of.wait)}};
}

/// What was asked for; of spec and status alike.
json question_json(const record& of) {
  json made{{"principal", of.what.principal}, {"groups", of.groups},
            {"route", of.what.route},         {"database", of.what.database},
            {"user", of.what.user},           {"policy", of.what.policy},
            {"terms", of.what.terms},         {"duration", config::format_duration(of.length)},
            {"rule", rule_json(of.rule)}};
  for (const auto& [key, text] :
       {std::pair("role", &of.role), std::pair("reason", &of.reason), std::pair("client", &of.client)})
    if (!text->empty()) made[key] = *text;
  return made;
}

json approvals_json(const record& of) {
  json list = json::array();
  for (const grants::approval& each : of.approvals) {
    json one{{"by", each.by}, {"at", time_text(each.when)}, {"as", each.as}};
    if (!each.reason.empty()) one["reason"] = each.reason;
    list.push_back(std::move(one));
  }
  return list;
}

json answers_json(const record& of) {
  json list = json::array();
  for (const grants::judged_answer& each : of.judged) {
    json one{{"id", each.id},
             {"by", each.by},
             {"decision", decision_text(each.what)},
             {"at", time_text(each.when)},
             {"counted", each.counted}};
    if (!each.why.empty()) one["message"] = each.why;
    list.push_back(std::move(one));
  }
  return list;
}

/// A condition, and since when it is so: its times are those of the record, so that no gateway has to know
/// what another one wrote.
struct condition {
  const char* type;
  bool is_true;
  std::string reason;
  std::string message;
  wall_time since;
};

json conditions_json(std::initializer_list<condition> all, std::int64_t generation) {
  json list = json::array();
  for (const condition& each : all) {
    list.push_back({{"type", each.type},
                    {"status", each.is_true ? "True" : "False"},
                    {"reason", each.reason},
                    {"message", each.message},
                    {"lastTransitionTime", time_text(each.since)},
                    {"observedGeneration", generation}});
  }
  return list;
}

std::string by_whom(const record& of) {
  std::string made;
  if (!of.over_by.empty()) made += "by " + of.over_by;
  if (!of.over_reason.empty()) made += (made.empty() ? "" : ": ") + of.over_reason;
  return made;
}

json conditions_of(const record& of, std::int64_t generation) {
  const bool over = !grants::is_live(of.now);
  const wall_time ended = of.over.value_or(of.asked);
  const bool granted = of.is_grant();
  const bool active = of.now == state::active;
  const std::string end = over ? state_text(of.now) : "";
  return conditions_json(
      {{"Approved", granted,
        granted ? (of.break_glass ? "BreakGlass" : "Approved")
        : over  ? end
                : "Waiting",
        granted ? ""
        : over  ? by_whom(of)
                : "waits for " + grants::what_is_missing(of),
        granted ? of.from
        : over  ? ended
                : of.asked},
       {"Denied", of.now == state::denied, of.now == state::denied ? "Denied" : "NotDenied",
        of.now == state::denied ? by_whom(of) : "", of.now == state::denied ? ended : of.asked},
       {"Active", active,
        active ? "Granted"
        : over ? end
               : "Waiting",
        active ? "until " + time_text(of.until) : "",
        active ? of.from
        : over ? ended
               : of.asked},
       {"Ended", over, over ? end : "GoesOn", over ? by_whom(of) : "", over ? ended : of.asked}},
      generation);
}

}  // namespace

std::string state_text(state which) {
  return std::string(state_texts[static_cast<std::size_t>(which)]);
}

std::optional<state> state_of(std::string_view text) {
  const auto* found = std::find(state_texts.begin(), state_texts.end(), text);
  if (found == state_texts.end()) return std::nullopt;
  return static_cast<state>(found - state_texts.begin());
}

std::string_view decision_text(grants::decision which) {
  return decision_texts[static_cast<std::size_t>(which)];
}

std::optional<grants::decision> decision_of(std::string_view text) {
  const auto* found = std::find(decision_texts.begin(), decision_texts.end(), text);
  if (found == decision_texts.end()) return std::nullopt;
  return static_cast<grants::decision>(found - decision_texts.begin());
}

std::string hex_of(const auth::digest& of, std::size_t bytes) {
  std::string made;
  for (std::size_t i = 0; i < bytes; ++i)
    made += fmt::format("{:02x}", std::to_integer<unsigned>(of[i]));
  return made;
}

std::string answer_id(const json& answer) {
  // Keys of nlohmann's objects are in order.
  const std::string text = answer.dump(-1, ' ', false, json::error_handler_t::replace);
  return hex_of(auth::sha256({as_bytes(text)}), 8);
}

json spec_of(const record& of, const request_scope& scope) {
  json made = question_json(of);
  made["gateway"] = scope.gateway();
  made["answers"] = json::array();
  return made;
}

json status_of(const record& of, const request_scope& scope, std::int64_t generation) {
  json asked = question_json(of);
  asked["byHand"] = of.by_hand;
  json made{{"number", of.id},
            {"state", state_text(of.now)},
            {"gateway", scope.gateway()},
            {"observedGeneration", generation},
            {"request", std::move(asked)},
            {"asked", time_text(of.asked)},
            {"answerBy", time_text(of.answer_by)},
            {"waiting", of.gateways},
            {"approvals", approvals_json(of)},
            {"breakGlass", of.break_glass},
            {"answers", answers_json(of)},
            {"conditions", conditions_of(of, generation)}};
  if (of.now == state::open) made["needs"] = grants::what_is_missing(of);
  if (of.is_grant()) {
    made["from"] = time_text(of.from);
    made["until"] = time_text(of.until);
  }
  if (of.over) made["ended"] = time_text(*of.over);
  if (!of.over_by.empty()) made["endedBy"] = of.over_by;
  if (!of.over_reason.empty()) made["endReason"] = of.over_reason;
  return made;
}

json refused_status(state as, const std::string& why, wall_time now, const request_scope& scope,
                    std::int64_t generation) {
  const std::string reason = state_text(as);
  return {{"state", reason},
          {"gateway", scope.gateway()},
          {"observedGeneration", generation},
          {"ended", time_text(now)},
          {"endReason", why},
          {"conditions", conditions_json({{"Approved", false, reason, why, now},
                                          {"Denied", as == state::denied, reason, why, now},
                                          {"Active", false, reason, "", now},
                                          {"Ended", true, reason, why, now}},
                                         generation)}};
}

}  // namespace trunkline::k8s
