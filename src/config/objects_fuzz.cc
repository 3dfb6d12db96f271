// Any JSON as the specs of objects beside a right file: the file stays in force, each object has a verdict,
// and none gets what it may not have.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <nlohmann/json.hpp>

#include "config/json_tree.h"
#include "config/objects.h"

namespace {

using namespace trunkline::config;

constexpr const char* gateway =
    "listeners: [{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a, keyFile: b}]}}, "
    "{name: sni, address: '0.0.0.0:6433', tls: {mode: passthrough}}]\n"
    "upstreams: [{name: open, endpoints: ['o:1'], allowedNamespaces: [team]}, {name: shut, endpoints: "
    "['s:1']}]\n"
    "routes: [{name: sni, upstream: shut, match: {listener: sni, serverName: a}}]\n"
    "kubernetes: {objects: {namespaces: ['*']}, requests: true}\n";

/// A list of specs, or one of them.
std::vector<config_object> objects_of(const nlohmann::json& said) {
  std::vector<config_object> made;
  const auto add = [&](const nlohmann::json& spec) {
    const auto number = made.size();
    auto tree = tree_of(spec);
    made.push_back({.kind = static_cast<object_kind>(number % 3),
                    .name_space = number % 2 == 0 ? "team" : "other",
                    .name = number < 3 ? "db" : "x" + std::to_string(number),
                    .spec = tree ? *tree : nullptr});
  };
  if (!said.is_array()) add(said);
  for (std::size_t i = 0; said.is_array() && i < std::min<std::size_t>(said.size(), 12); ++i)
    add(said[i]);
  return made;
}

bool may_lead_to(const route& from, const upstream& to) {
  return from.name_space == to.name_space || to.name == "open" || !to.allowed_namespaces.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto said = nlohmann::json::parse(data, data + size, nullptr, false);
  if (said.is_discarded()) return 0;
  load_options options;
  options.check_files = false;
  // The gateway asks where its own API server is; nothing that an object says may reach the environment.
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (!name.starts_with("KUBERNETES_SERVICE_")) std::abort();
    return std::nullopt;
  };
  options.secret = [](const secret_reference& wanted) -> trunkline::result<std::string> {
    if (wanted.name == "none") return trunkline::fail({.message = "there is none"});
    return "/f/" + wanted.name_space + "/" + wanted.name;
  };
  const auto objects = objects_of(said);
  const auto made = load_text_with(gateway, "fuzz.yaml", objects, options);
  if (!made.all.value || made.verdicts.size() != objects.size()) std::abort();
  for (const auto& each : made.verdicts)
    if (!each.accepted() && each.message.empty()) std::abort();
  for (const auto& each : made.all.value->routes) {
    if (!may_lead_to(each, made.all.value->upstreams.at(each.upstream_index))) std::abort();
    if (!each.name_space.empty() && each.auth.method == auth_method::trust) std::abort();
  }
  for (const auto& each : made.all.value->upstreams)
    for (const auto& at : each.endpoints)
      if (at.is_unix()) std::abort();
  for (const auto& each : made.all.wanted_secrets)
    if (each.name_space != "team" && each.name_space != "other") std::abort();
  return render_yaml(*made.all.value).empty() ? 1 : 0;
}
