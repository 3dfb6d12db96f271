#include "config/checks.h"

#include <fmt/format.h>

#include <unordered_map>

#include "config/glob.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

template <class Named>
void check_names(const check_input& in, const std::vector<Named>& list, std::string_view list_key) {
  std::map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i].name.empty()) continue;
    const auto [first, fresh] = seen.try_emplace(list[i].name, i);
    if (fresh) continue;
    in.problem(fmt::format("{}[{}].name", list_key, i),
               fmt::format("{} is also the name of {}[{}]", quote(list[i].name), list_key, first->second),
               "names that differ");
  }
}

/// Routes of the file lead to its own upstreams. Where those of objects may lead is said in objects.cc.
void resolve_upstreams(const check_input& in, settings& value) {
  std::unordered_map<std::string_view, std::size_t> by_name;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < value.upstreams.size(); ++i) {
    by_name.try_emplace(value.upstreams[i].name, i);
    if (value.upstreams[i].name_space.empty()) names.push_back(value.upstreams[i].name);
  }
  for (std::size_t i = 0; i < value.routes.size(); ++i) {
    auto& route = value.routes[i];
    if (route.upstream.empty()) continue;
    const auto found = by_name.find(route.upstream);
    const bool of_object = !route.name_space.empty();
    if (found != by_name.end() && (of_object || value.upstreams[found->second].name_space.empty())) {
      route.upstream_index = found->second;
      continue;
    }
    if (of_object || (names.empty() && !in.state.has_objects)) continue;
    const auto near = nearest(route.upstream, names);
    in.problem(fmt::format("routes[{}].upstream", i),
               quote(route.upstream) +
                   (near ? fmt::format(" is no upstream, did you mean `{}`?", *near) : " is no upstream"),
               names.size() <= 8 && !names.empty() ? enumerate(names) : "the name of an upstream");
  }
}

}  // namespace

bool is_loopback_url(std::string_view url) {
  if (!url.starts_with("http://")) return false;
  url.remove_prefix(7);
  const auto authority = url.substr(0, url.find('/'));
  if (authority.find('@') != std::string_view::npos) return false;
  const auto host = authority.starts_with('[') ? authority.substr(1, authority.find(']') - 1)
                                               : authority.substr(0, authority.find(':'));
  return address{.host = std::string(host)}.is_local();
}

bool may_come_from(const route_match& match, const listener& from) {
  return match.listeners.empty() ||
         std::any_of(match.listeners.begin(), match.listeners.end(),
                     [&](const std::string& pattern) { return glob_match(pattern, from.name); });
}

bool tls_passes_through(const settings& value, const upstream& to, bool by_file_alone) {
  bool passes = false;
  for (const auto& one : value.routes) {
    if (one.upstream != to.name || (by_file_alone && !one.name_space.empty())) continue;
    for (const auto& from : value.listeners) {
      if (!may_come_from(one.match, from)) continue;
      if (from.tls.mode != listener_tls_mode::passthrough) return false;
      passes = true;
    }
  }
  return passes;
}

void check_settings(load_state& state, const node& root, settings& value) {
  state.reading_is_done();
  const check_input in{state, root, value};
  check_names(in, value.listeners, "listeners");
  check_names(in, value.routes, "routes");
  check_names(in, value.upstreams, "upstreams");
  resolve_upstreams(in, value);
  check_listeners(in);
  check_upstreams(in);
  check_kubernetes_access(in);
  check_replicas(in);
  check_admin(in);
  check_audit(in);
  for (std::size_t i = 0; i < value.routes.size(); ++i)
    check_route(in, i);
  check_issuers(in);
  check_access(in);
  check_console(in);
  if (state.problems.empty()) check_reach(in);
}

}  // namespace trunkline::config
