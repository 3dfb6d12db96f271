#include "grants/request_json.h"

#include <fmt/chrono.h>

#include "grants/quorum.h"

namespace trunkline::grants {

namespace {

using ordered = nlohmann::ordered_json;

ordered known(const std::string& text) {
  return text.empty() ? ordered(nullptr) : ordered(text);
}

ordered time_json(wall_time when) {
  return when == wall_time{} ? ordered(nullptr) : ordered(time_text(when));
}

ordered approvals_of(const record& of) {
  ordered list = ordered::array();
  for (const auto& each : of.approvals)
    list.push_back(
        {{"by", each.by}, {"at", time_text(each.when)}, {"reason", known(each.reason)}, {"as", each.as}});
  return list;
}

}  // namespace

std::string time_text(wall_time when) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(when);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", seconds, (when - seconds).count());
}

ordered request_json(const record& of) {
  return {{"id", of.id},
          {"state", name_of(of.now)},
          {"principal", of.what.principal},
          {"groups", of.groups},
          {"policy", of.what.policy},
          {"route", of.what.route},
          {"database", of.what.database},
          {"user", of.what.user},
          {"role", known(of.role)},
          {"reason", known(of.reason)},
          {"client", known(of.client)},
          {"asked", time_text(of.asked)},
          {"answerBy", time_text(of.answer_by)},
          {"seconds", of.length.count() / 1'000},
          {"needs", of.now == state::open ? ordered(what_is_missing(of)) : ordered(nullptr)},
          {"approvals", approvals_of(of)},
          {"breakGlass", of.break_glass},
          {"from", time_json(of.from)},
          {"until", time_json(of.until)},
          {"ended", of.over ? ordered(time_text(*of.over)) : ordered(nullptr)},
          {"endedBy", known(of.over_by)},
          {"endReason", known(of.over_reason)}};
}

}  // namespace trunkline::grants
