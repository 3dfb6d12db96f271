#include "admin/objects_page.h"

#include <algorithm>
#include <string>
#include <utility>

#include "admin/json.h"
#include "admin/query.h"
#include "base/limits.h"

namespace trunkline::admin {

namespace {

constexpr std::size_t objects_by_default = 100;

json known_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json kind_json(const session::kind_view& of) {
  return {{"kind", of.kind},
          {"accepted", of.accepted},
          {"refused", of.refused},
          {"ageSeconds", of.age_seconds ? json(*of.age_seconds) : json(nullptr)},
          {"problem", known_or_null(of.problem)}};
}

json object_json(const session::object_view& of) {
  return {{"kind", of.kind},         {"namespace", of.name_space},
          {"name", of.name},         {"generation", of.generation},
          {"accepted", of.accepted}, {"programmed", of.programmed},
          {"reason", of.reason},     {"message", known_or_null(of.message)}};
}

}  // namespace

http_response objects_page(session::objects_view view, const http_request& request) {
  query asked(request, {"kind", "namespace", "reason", "limit"});
  const std::size_t most = asked.count("limit", objects_by_default, limits::admin_sessions);
  if (asked.refusal()) return *asked.refusal();
  const auto differs = [&](std::string_view name, const std::string& value) {
    const auto wanted = asked.text(name);
    return wanted && *wanted != value;
  };
  std::erase_if(view.objects, [&](const session::object_view& each) {
    return differs("kind", each.kind) || differs("namespace", each.name_space) ||
           differs("reason", each.reason);
  });
  json kinds = json::array();
  for (const auto& each : view.kinds)
    kinds.push_back(kind_json(each));
  json list = json::array();
  for (std::size_t i = 0; i < std::min(view.objects.size(), most); ++i)
    list.push_back(object_json(view.objects[i]));
  return json_response({{"enabled", view.enabled},
                        {"leads", view.leads},
                        {"leader", known_or_null(view.leader)},
                        {"kinds", kinds},
                        {"matching", view.objects.size()},
                        {"objects", list}});
}

}  // namespace trunkline::admin
