#include "k8s/gateway_leases.h"

#include <utility>

#include "base/limits.h"
#include "grants/request_json.h"

namespace trunkline::k8s {

namespace {

using grants::wall_time;

constexpr const char* gateway_label = "trunkline.dev/gateway";
constexpr const char* use_label = "trunkline.dev/use";
constexpr const char* use = "requests";

/// To the microsecond, as Leases want it.
std::string micro_text(wall_time when) {
  std::string made = grants::time_text(when);
  made.insert(made.size() - 1, "000");
  return made;
}

}  // namespace

gateway_leases::gateway_leases(std::shared_ptr<request_talk> by, request_scope of)
    : by_(std::move(by)), scope_(std::move(of)) {}

std::string gateway_leases::target(const std::string& name) const {
  return "/apis/coordination.k8s.io/v1/namespaces/" + scope_.name_space + "/leases" +
         (name.empty() ? "" : "/" + name);
}

json gateway_leases::body_of(const std::string& gateway, wall_time until) const {
  return {{"spec",
           {{"holderIdentity", gateway},
            {"leaseDurationSeconds",
             std::chrono::duration_cast<std::chrono::seconds>(limits::access_silent).count()},
            {"renewTime", micro_text(until - limits::access_silent)}}}};
}

grants::stored<> gateway_leases::create(const std::string& gateway, wall_time until) {
  json made = body_of(gateway, until);
  made["apiVersion"] = "coordination.k8s.io/v1";
  made["kind"] = "Lease";
  made["metadata"] = {{"name", "trunkline-" + scope_.name + "-" + gateway},
                      {"namespace", scope_.name_space},
                      {"labels", {{gateway_label, scope_.name}, {use_label, use}}}};
  const auto got = by_->ask({.method = "POST", .target = target(), .body = std::move(made)});
  if (!got.ok() && !got.is_conflict()) return std::unexpected(failure_of(got));
  there_->store(true);
  return {};
}

grants::stored<> gateway_leases::tell_alive(const std::string& gateway, wall_time until) {
  if (!there_->load()) return create(gateway, until);
  by_->send({.method = "PATCH",
             .target = target("trunkline-" + scope_.name + "-" + gateway),
             .body = body_of(gateway, until),
             .type = merge_patch_type},
            [there = there_](const api_answer& got) {
              if (got.is_missing()) there->store(false);
            });
  return {};
}

grants::stored<std::vector<gateway_leases::lease>> gateway_leases::all() {
  const auto got = by_->ask({.target = target() + "?labelSelector=trunkline.dev%2Fgateway%3D" + scope_.name +
                                       "%2Ctrunkline.dev%2Fuse%3D" + use});
  if (!got.ok()) return std::unexpected(failure_of(got));
  std::vector<lease> made;
  for (const json& each : field_of(got.body, "items")) {
    const json& spec = field_of(each, "spec");
    const auto renewed = time_of(text_of(spec, "renewTime"));
    const json& lasts = field_of(spec, "leaseDurationSeconds");
    if (!renewed || !lasts.is_number_integer()) continue;
    made.push_back(
        {.name = k8s::name_of(each),
         .gateway = text_of(spec, "holderIdentity"),
         .until = *renewed + std::chrono::seconds(std::min<std::int64_t>(lasts.get<std::int64_t>(), 3'600))});
  }
  return made;
}

grants::stored<std::set<std::string>> gateway_leases::alive(wall_time now) {
  const auto known = all();
  if (!known) return std::unexpected(known.error());
  std::set<std::string> made;
  for (const lease& each : *known)
    if (each.until >= now) made.insert(each.gateway);
  return made;
}

grants::stored<> gateway_leases::forget(wall_time before) {
  const auto known = all();
  if (!known) return std::unexpected(known.error());
  for (const lease& each : *known) {
    if (each.until >= before) continue;
    const auto got = by_->ask({.method = "DELETE", .target = target(each.name)});
    if (!got.ok() && !got.is_missing()) return std::unexpected(failure_of(got));
  }
  return {};
}

}  // namespace trunkline::k8s
