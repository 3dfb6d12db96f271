#include "config/checks.h"

#include <fmt/format.h>

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

void resolve_upstreams(const check_input& in, settings& value) {
  std::vector<std::string> names;
  names.reserve(value.upstreams.size());
  for (const auto& one : value.upstreams)
    names.push_back(one.name);
  for (std::size_t i = 0; i < value.routes.size(); ++i) {
    auto& route = value.routes[i];
    if (route.upstream.empty()) continue;
    const auto found = std::find(names.begin(), names.end(), route.upstream);
    if (found != names.end()) {
      route.upstream_index = static_cast<std::size_t>(found - names.begin());
      continue;
    }
    if (names.empty()) continue;
    const auto near = nearest(route.upstream, names);
    in.problem(fmt::format("routes[{}].upstream", i),
               quote(route.upstream) +
                   (near ? fmt::format(" is no upstream, did you mean `{}`?", *near) : " is no upstream"),
               names.size() <= 8 ? enumerate(names) : "the name of an upstream");
  }
}

struct covering_budget {
  std::size_t left = 2'000'000;
};

template <class Pattern, class Covers>
bool list_covers(const std::vector<Pattern>& wide, const std::vector<Pattern>& narrow, Covers covers,
                 covering_budget& budget) {
  if (wide.empty()) return true;
  if (narrow.empty()) return false;
  return std::all_of(narrow.begin(), narrow.end(), [&](const Pattern& one) {
    return std::any_of(wide.begin(), wide.end(), [&](const Pattern& other) {
      if (budget.left == 0) return false;
      --budget.left;
      return covers(other, one);
    });
  });
}

bool match_covers(const settings& value, const route_match& wide, const route_match& narrow,
                  covering_budget& budget) {
  const auto text = [](const std::string& a, const std::string& b) { return glob_covers(a, b); };
  const auto range = [](const network_range& a, const network_range& b) { return a.contains(b); };
  const bool listeners = std::all_of(
      value.listeners.begin(), value.listeners.end(),
      [&](const listener& from) { return !may_come_from(narrow, from) || may_come_from(wide, from); });
  return listeners && list_covers(wide.server_names, narrow.server_names, text, budget) &&
         list_covers(wide.databases, narrow.databases, text, budget) &&
         list_covers(wide.users, narrow.users, text, budget) &&
         list_covers(wide.sources, narrow.sources, range, budget);
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

bool tls_passes_through(const settings& value, const upstream& to) {
  bool passes = false;
  for (const auto& one : value.routes) {
    if (one.upstream != to.name) continue;
    for (const auto& from : value.listeners) {
      if (!may_come_from(one.match, from)) continue;
      if (from.tls.mode != listener_tls_mode::passthrough) return false;
      passes = true;
    }
  }
  return passes;
}

void check_reach(const check_input& in) {
  const auto& value = in.value;
  covering_budget budget;
  for (std::size_t late = 1; late < value.routes.size(); ++late) {
    for (std::size_t early = 0; early < late; ++early) {
      if (!match_covers(value, value.routes[early].match, value.routes[late].match, budget)) continue;
      in.warn(fmt::format("routes[{}]", late),
              fmt::format("never used: routes[{}] ({}) before it takes everything that fits here", early,
                          value.routes[early].name),
              "the narrower route first");
      break;
    }
  }
  for (std::size_t i = 0; i < value.listeners.size(); ++i) {
    const bool served = std::any_of(value.routes.begin(), value.routes.end(), [&](const route& one) {
      return may_come_from(one.match, value.listeners[i]);
    });
    if (!served)
      in.warn(fmt::format("listeners[{}]", i), "no route serves its clients", "a route whose match fits it");
  }
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
