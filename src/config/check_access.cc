// What `access` says: whether it can work, and which policies nobody reaches.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "config/checks.h"
#include "config/glob.h"
#include "config/time_zone.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

/// The gateway's own affair, whatever a policy would like.
constexpr std::array<std::string_view, 9> reserved_settings{"role",
                                                            "session_authorization",
                                                            "default_transaction_read_only",
                                                            "standard_conforming_strings",
                                                            "user",
                                                            "database",
                                                            "replication",
                                                            "options",
                                                            "client_encoding"};

struct policy_at {
  const check_input& in;
  const access_policy& self;
  const std::unordered_set<std::string_view>& route_names;
  std::string key;  ///< "access.policies[0]"

  void problem(std::string_view leaf, std::string text, std::string expected) const {
    in.problem(key + std::string(leaf), std::move(text), std::move(expected));
  }
  /// What depends on routes: objects of Kubernetes come and go, and what is not there yet may come.
  void miss(std::string_view leaf, std::string text, std::string expected) const {
    if (self.name_space.empty() && !in.value.in_kubernetes.objects)
      return problem(leaf, std::move(text), std::move(expected));
    in.warn(key + std::string(leaf), std::move(text), std::move(expected));
  }
  bool is_for(const route& one) const { return self.name_space.empty() || self.name_space == one.name_space; }
};

bool any_fits(const std::vector<std::string>& globs, std::string_view text) {
  return globs.empty() || std::any_of(globs.begin(), globs.end(),
                                      [&](const std::string& each) { return glob_match(each, text); });
}

/// Whether one of the routes that it is for is such a route.
template <class Is>
bool covers_route(const policy_at& policy, Is is) {
  const auto& routes = policy.in.value.routes;
  return std::any_of(routes.begin(), routes.end(), [&](const route& each) {
    return policy.is_for(each) && is(each.auth) && any_fits(policy.self.routes, each.name);
  });
}

bool tells_groups(const route_auth& auth) {
  return auth.method == auth_method::kubernetes || (auth.jwt && !auth.jwt->groups_claim.empty());
}

void check_subjects(const policy_at& policy) {
  const auto& who = policy.self.subjects;
  if (who == access_subjects{}) {
    return policy.problem(".subjects", "names nobody", "user, group, serviceAccount or spiffe");
  }
  if (!who.groups.empty() && !covers_route(policy, tells_groups)) {
    policy.miss(".subjects.group", "no route that it is for knows the groups of its clients",
                "auth.jwt.groupsClaim on a route, or method: kubernetes");
  }
  const auto by_kubernetes = [](const route_auth& auth) { return auth.method == auth_method::kubernetes; };
  if (!who.service_accounts.empty() && !covers_route(policy, by_kubernetes)) {
    policy.miss(".subjects.serviceAccount", "no route that it is for has method kubernetes",
                "user, or auth.method: kubernetes on a route");
  }
  const auto by_uri = [](const route_auth& auth) {
    return auth.method == auth_method::cert || auth.method == auth_method::jwt;
  };
  if (!who.spiffe.empty() && !covers_route(policy, by_uri)) {
    policy.miss(".subjects.spiffe", "no route that it is for has method cert or jwt",
                "auth.method: cert on a route, with certificate.map from uri");
  }
  for (const auto& each : who.service_accounts)
    if (std::count(each.begin(), each.end(), '/') != 1)
      policy.problem(".subjects.serviceAccount", quote(each) + " is no service account", "NAMESPACE/NAME");
  for (const auto& each : who.spiffe)
    if (!each.starts_with("spiffe://"))
      policy.problem(".subjects.spiffe", quote(each) + " is no SPIFFE ID", "spiffe://DOMAIN/PATH");
}

void check_objects(const policy_at& policy) {
  const auto& routes = policy.in.value.routes;
  for (const auto& each : policy.self.routes) {
    if (policy.route_names.contains(each)) continue;  // as nearly always
    if (std::any_of(routes.begin(), routes.end(),
                    [&](const route& one) { return policy.is_for(one) && glob_match(each, one.name); }))
      continue;
    if (!policy.self.name_space.empty()) {
      policy.miss(".objects.route",
                  quote(each.substr(policy.self.name_space.size() + 1)) + " is no route of the namespace",
                  "the name of a PostgresRoute");
      continue;
    }
    std::vector<std::string> names;
    for (const auto& one : routes)
      names.push_back(one.name);
    const auto near = nearest(each, names);
    policy.miss(
        ".objects.route",
        quote(each) + (near ? fmt::format(" is no route, did you mean `{}`?", *near) : " is no route"),
        names.size() <= 8 ? enumerate(names) : "the name of a route");
  }
}

void check_hours(const policy_at& policy) {
  if (!policy.self.hours || !policy.in.state.sound(policy.key + ".hours")) return;
  const access_hours& hours = *policy.self.hours;
  if (hours.from == hours.until)
    policy.problem(".hours", "begin when they end", "from and until that differ");
  if (hours.from >= std::chrono::hours(24))
    policy.problem(".hours.from", "is the end of the day", "00:00 for its beginning");
  if (policy.in.state.options().check_files && !time_zone::find(hours.time_zone))
    policy.problem(".hours.timeZone", quote(hours.time_zone) + " is no time zone of this system",
                   "a name below /usr/share/zoneinfo, such as Europe/Berlin");
}

/// One that denies gives nothing.
void check_deny(const policy_at& policy) {
  if (policy.self.effect != access_effect::deny) return;
  const access_policy& given = policy.self;
  const auto refuse = [&](bool there, std::string_view leaf) {
    if (there)
      policy.problem(leaf, "has no use in a policy that denies", "effect: allow, or the key left out");
  };
  refuse(given.level != access_level::write, ".level");
  refuse(!given.role.empty(), ".role");
  refuse(!given.denied.empty(), ".denied");
  refuse(given.replication, ".replication");
  refuse(given.max_length.count() > 0, ".maxLength");
  refuse(!given.settings.empty(), ".settings");
  refuse(given.max_rows > 0 || given.max_bytes > 0, ".limits");
  refuse(given.approval.has_value(), ".approval");
}

void check_settings_of(const policy_at& policy) {
  for (const auto& [name, value] : policy.self.settings) {
    std::string folded = name;
    std::transform(folded.begin(), folded.end(), folded.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
    if (std::find(reserved_settings.begin(), reserved_settings.end(), folded) == reserved_settings.end())
      continue;
    policy.problem(".settings", quote(name) + " is not for a policy to set",
                   "role and level where that is what is meant");
  }
  if (policy.self.role == "none")
    policy.problem(".role", "`none` is no role", "the name of a role, or the key left out");
}

void check_approval(const policy_at& policy) {
  if (!policy.self.approval) return;
  const access_approval& needed = *policy.self.approval;
  // Among objects RBAC says who may, as well as a rule.
  const bool by_rbac = policy.in.value.in_kubernetes.requests;
  if (needed.any_of.empty() && needed.all_of.empty() && !by_rbac)
    policy.problem(".approval", "nobody may approve", "anyOf or allOf");
  if (policy.in.value.access.store.empty() && !policy.in.value.in_kubernetes.requests)
    policy.problem(".approval", "requests have nowhere to be kept", "access.store, or kubernetes.requests");
  if (!needed.any_of.empty() || needed.count <= needed.all_of.size() || needed.all_of.empty()) return;
  policy.problem(
      ".approval.count",
      fmt::format("wants {} approvals, and allOf has {} groups", needed.count, needed.all_of.size()),
      "a smaller count, or anyOf beside it");
}

// ---- policies that nobody reaches ----

struct budget {
  std::size_t left = 2'000'000;
  bool replication = false;  ///< some policy lets it in
};

bool globs_cover(const std::vector<std::string>& wide, const std::vector<std::string>& narrow,
                 budget& steps) {
  return std::all_of(narrow.begin(), narrow.end(), [&](const std::string& one) {
    return std::any_of(wide.begin(), wide.end(), [&](const std::string& other) {
      if (steps.left == 0) return false;
      --steps.left;
      return glob_covers(other, one);
    });
  });
}

bool objects_cover(const std::vector<std::string>& wide, const std::vector<std::string>& narrow,
                   budget& steps) {
  return wide.empty() || (!narrow.empty() && globs_cover(wide, narrow, steps));
}

bool sources_cover(const access_policy& wide, const access_policy& narrow) {
  if (wide.sources.empty()) return true;
  return !narrow.sources.empty() &&
         std::all_of(narrow.sources.begin(), narrow.sources.end(), [&](const network_range& one) {
           return std::any_of(wide.sources.begin(), wide.sources.end(),
                              [&](const network_range& other) { return other.contains(one); });
         });
}

/// Whoever fits `narrow` surely fits `wide`.
bool covers(const access_policy& wide, const access_policy& narrow, budget& steps) {
  if (!wide.name_space.empty() && wide.name_space != narrow.name_space) return false;
  if (wide.hours && wide.hours != narrow.hours) return false;
  // Where no policy lets replication in, a denial of it decides nothing.
  const bool narrow_takes_it =
      narrow.replication || (narrow.effect == access_effect::deny && steps.replication);
  const bool replication = wide.effect == access_effect::deny || wide.replication || !narrow_takes_it;
  if (!replication || !sources_cover(wide, narrow)) return false;
  const auto& all = wide.subjects;
  const auto& some = narrow.subjects;
  const bool everybody = std::find(all.users.begin(), all.users.end(), "*") != all.users.end();
  const bool subjects = everybody || (globs_cover(all.users, some.users, steps) &&
                                      globs_cover(all.groups, some.groups, steps) &&
                                      globs_cover(all.service_accounts, some.service_accounts, steps) &&
                                      globs_cover(all.spiffe, some.spiffe, steps));
  return subjects && objects_cover(wide.routes, narrow.routes, steps) &&
         objects_cover(wide.databases, narrow.databases, steps);
}

void check_policy_reach(const check_input& in) {
  const auto& policies = in.value.access.policies;
  budget steps;
  steps.replication =
      std::any_of(policies.begin(), policies.end(), [](const auto& each) { return each.replication; });
  for (std::size_t late = 1; late < policies.size(); ++late) {
    for (std::size_t early = 0; early < late; ++early) {
      if (!covers(policies[early], policies[late], steps)) continue;
      const bool opposite = policies[early].effect != policies[late].effect;
      in.warn(fmt::format("access.policies[{}]", late),
              fmt::format("never decides: access.policies[{}] ({}) before it takes all that fits here{}",
                          early, policies[early].name, opposite ? ", and says the opposite" : ""),
              "the narrower policy first");
      break;
    }
  }
}

/// Policies of a namespace must know who the clients of its routes are.
void check_governed(const check_input& in) {
  const auto& governed = in.value.access.governed;
  const auto hides = [&](const route& each) {
    return std::any_of(in.value.listeners.begin(), in.value.listeners.end(), [&](const listener& from) {
      return from.tls.mode == listener_tls_mode::passthrough && may_come_from(each.match, from);
    });
  };
  for (std::size_t i = 0; i < in.value.routes.size(); ++i) {
    const route& each = in.value.routes[i];
    if (each.name_space.empty() || !std::binary_search(governed.begin(), governed.end(), each.name_space))
      continue;
    if (hides(each))
      in.problem(
          fmt::format("routes[{}].match.listener", i),
          "a listener with passthrough hides who the clients are, and the AccessPolicies of the namespace "
          "must know",
          "match.listener to name only others");
  }
}

void check_passthrough(const check_input& in) {
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    if (in.value.listeners[i].tls.mode != listener_tls_mode::passthrough) continue;
    in.problem(fmt::format("listeners[{}].tls.mode", i),
               "passthrough hides who the clients are, and access.policies must know", "another mode");
  }
}

void check_webhooks(const check_input& in) {
  const auto& hooks = in.value.access.webhooks;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const std::string& url = hooks[i].url.reveal();
    if (url.empty() || url.starts_with("https://") || is_loopback_url(url)) continue;
    in.problem(fmt::format("access.webhooks[{}].{}", i, hooks[i].url_file.empty() ? "url" : "urlFile"),
               "could be read by whoever is on the way", "https://, or http:// on loopback");
  }
}

}  // namespace

void check_access(const check_input& in) {
  const auto& policies = in.value.access.policies;
  check_webhooks(in);
  check_governed(in);
  if (policies.empty()) return;
  if (std::any_of(policies.begin(), policies.end(), [](const auto& each) { return each.name_space.empty(); }))
    check_passthrough(in);
  std::unordered_set<std::string_view> route_names;
  for (const auto& each : in.value.routes)
    route_names.insert(each.name);
  std::map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const policy_at policy{in, policies[i], route_names, fmt::format("access.policies[{}]", i)};
    const auto [first, fresh] = names.try_emplace(policies[i].name, i);
    if (!fresh && !policies[i].name.empty())
      policy.problem(
          ".name",
          fmt::format("{} is also the name of access.policies[{}]", quote(policies[i].name), first->second),
          "names that differ");
    if (in.state.sound(policy.key + ".subjects")) check_subjects(policy);
    check_objects(policy);
    check_hours(policy);
    check_deny(policy);
    check_settings_of(policy);
    check_approval(policy);
  }
  if (in.state.problems.empty()) check_policy_reach(in);
}

}  // namespace trunkline::config
