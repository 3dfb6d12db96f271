#include "access/policy_set.h"

#include <algorithm>
#include <bit>

#include "config/enum_names.h"
#include "config/glob.h"
#include "config/name_pattern.h"

namespace trunkline::access {

using config::access_level;
using config::access_policy;
using config::auth_method;
using config::statement_class;

namespace {

constexpr std::string_view account_prefix = "system:serviceaccount:";

bool any_glob(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& each) { return config::glob_match(each, text); });
}

bool all_or_glob(const std::vector<std::string>& globs, std::string_view text) {
  return globs.empty() || any_glob(globs, text);
}

/// A `*` stays within its part.
bool any_path(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& each) {
    return config::name_parts(each, text, '/').has_value();
  });
}

/// What other issuers call so is none.
bool is_account(const question& asked, const std::vector<std::string>& patterns) {
  if (patterns.empty() || asked.who == nullptr || asked.route->auth.method != auth_method::kubernetes)
    return false;
  std::string_view name = asked.principal();
  if (!name.starts_with(account_prefix)) return false;
  name.remove_prefix(account_prefix.size());
  const auto colon = name.find(':');
  if (colon == std::string_view::npos) return false;
  std::string path(name);
  path[colon] = '/';
  return any_path(patterns, path);
}

bool is_spiffe(const question& asked, const std::vector<std::string>& patterns) {
  const auto method = asked.route->auth.method;
  if (patterns.empty() || asked.who == nullptr || (method != auth_method::cert && method != auth_method::jwt))
    return false;
  return asked.principal().starts_with("spiffe://") && any_path(patterns, asked.principal());
}

bool is_subject(const access_policy& of, const question& asked) {
  if (any_glob(of.subjects.users, asked.principal())) return true;
  if (asked.who != nullptr && !of.subjects.groups.empty()) {
    for (const auto& each : asked.who->groups)
      if (any_glob(of.subjects.groups, each)) return true;
  }
  return is_account(asked, of.subjects.service_accounts) || is_spiffe(asked, of.subjects.spiffe);
}

/// A policy of a namespace is for routes of that namespace.
bool is_route(const access_policy& of, const config::route& route) {
  return (of.name_space.empty() || of.name_space == route.name_space) && all_or_glob(of.routes, route.name);
}

bool is_source(const access_policy& of, const question& asked) {
  return of.sources.empty() ||
         (asked.source && std::any_of(of.sources.begin(), of.sources.end(),
                                      [&](const auto& range) { return range.contains(*asked.source); }));
}

void deny(guard_rules& in, statement_class which) {
  in.denied = static_cast<std::uint8_t>(in.denied | 1U << static_cast<unsigned>(which));
}

guard_rules guard_of(const access_policy& of) {
  guard_rules made{.read_only = of.level == access_level::read,
                   .role = !of.role.empty(),
                   .max_rows = of.max_rows,
                   .max_bytes = of.max_bytes};
  for (const auto each : of.denied)
    deny(made, each);
  if (of.level != access_level::admin) {
    deny(made, statement_class::roles);
    deny(made, statement_class::copy_program);
  }
  // What a DO block runs is not in the grammar's tree: in doubt it is denied.
  if (made.reads_statements()) deny(made, statement_class::do_block);
  return made;
}

policy compile_one(const access_policy& says) {
  policy made{.says = says, .guard = guard_of(says), .zone = {}, .parameters = says.settings};
  if (made.guard.read_only) made.parameters.emplace_back("default_transaction_read_only", "on");
  // What texts mean is as we read them.
  if (made.guard.reads_statements()) made.parameters.emplace_back("standard_conforming_strings", "on");
  if (made.guard.role) made.parameters.emplace_back("role", says.role);
  return made;
}

policy lowered(access_policy says, access_level to, const config::time_zone& zone) {
  says.level = to;
  policy made = compile_one(says);
  made.zone = zone;
  made.by_rbac = true;
  return made;
}

/// What is left of a session's rights where there is no policy.
policy bare(access_level level) {
  access_policy none;
  none.name = "kubernetes-rbac";
  return lowered(std::move(none), level, {});
}

/// With what it gives where RBAC gives less.
policy compile(const access_policy& says, const config::time_zone& zone) {
  policy made = compile_one(says);
  made.zone = zone;
  for (const auto level : {access_level::read, access_level::write})
    if (level < says.level)
      made.lower[static_cast<std::size_t>(level)] =
          std::make_shared<const policy>(lowered(says, level, zone));
  return made;
}

template <class Bits>
void set(Bits& in, std::size_t at) {
  in[at / 64] |= std::uint64_t{1} << at % 64;
}

}  // namespace

const policy* at_most(const policy* of, access_level most) {
  static const std::array<policy, 2> bare_ones{bare(access_level::read), bare(access_level::write)};
  if (most == access_level::admin || (of != nullptr && of->says.level <= most)) return of;
  const auto at = static_cast<std::size_t>(most);
  return of == nullptr ? &bare_ones[at] : of->lower[at].get();
}

std::string decision::reason() const {
  if (by == nullptr) return "no access policy fits";
  switch (what) {
    case outcome::allow:
      return "policy " + by->says.name + " allows it";
    case outcome::deny:
      return "policy " + by->says.name + " denies it";
    case outcome::wait:
      return "policy " + by->says.name + " wants an approval";
  }
  return {};
}

std::string_view text_of(misfit why) {
  switch (why) {
    case misfit::none:
      return "fits";
    case misfit::subject:
      return "it is for somebody else";
    case misfit::route:
      return "it is for other routes";
    case misfit::database:
      return "it is for other databases";
    case misfit::replication:
      return "it is not for replication";
    case misfit::source:
      return "it is for other sources";
    case misfit::hours:
      return "its hours do not hold";
  }
  return {};
}

void policy_set::by_end::add(std::string_view end, pattern which) {
  patterns[std::string(end)].push_back(std::move(which));
  if (std::find(sizes.begin(), sizes.end(), end.size()) == sizes.end()) sizes.push_back(end.size());
}

void policy_set::names::add(const std::string& glob, std::size_t policy) {
  const auto first = glob.find_first_of("*?");
  const pattern made{glob, static_cast<std::uint32_t>(policy)};
  if (first == std::string::npos) {
    set(exact[glob], policy);
  } else if (first > 0) {
    fronts.add(std::string_view(glob).substr(0, first), made);
  } else {
    backs.add(std::string_view(glob).substr(glob.find_last_of("*?") + 1), made);
  }
}

void policy_set::names::look(std::string_view name, bits& into) const {
  if (const auto found = exact.find(name); found != exact.end()) {
    for (std::size_t i = 0; i < into.size(); ++i)
      into[i] |= found->second[i];
  }
  const auto try_all = [&](const by_end& of, std::string_view end) {
    const auto found = of.patterns.find(end);
    if (found == of.patterns.end()) return;
    for (const pattern& each : found->second)
      if (config::glob_match(each.glob, name)) set(into, each.policy);
  };
  for (const std::size_t size : fronts.sizes)
    if (size <= name.size()) try_all(fronts, name.substr(0, size));
  for (const std::size_t size : backs.sizes)
    if (size <= name.size()) try_all(backs, name.substr(name.size() - size));
}

result<std::shared_ptr<const policy_set>> policy_set::build(const config::settings& of) {
  if (of.access.policies.empty() && of.access.governed.empty()) return std::shared_ptr<const policy_set>();
  if (of.access.policies.size() > limits::config_list_entries)
    return fail({.message = "too many access policies"});
  auto made = std::make_shared<policy_set>();
  made->by_route_.resize(of.routes.size());
  made->governed_ = of.access.governed;
  made->all_ = std::any_of(of.access.policies.begin(), of.access.policies.end(),
                           [](const access_policy& each) { return each.name_space.empty(); });
  for (const auto& says : of.access.policies) {
    auto zone = says.hours ? config::time_zone::find(says.hours->time_zone) : config::time_zone();
    if (!zone)
      return fail({.message = "access policy \"" + says.name + "\": no time zone " + says.hours->time_zone});
    made->policies_.push_back(compile(says, *zone));
    made->index(made->policies_.size() - 1, of);
  }
  return std::shared_ptr<const policy_set>(std::move(made));
}

void policy_set::index(std::size_t at, const config::settings& of) {
  const access_policy& says = policies_[at].says;
  for (std::size_t i = 0; i < of.routes.size(); ++i)
    if (is_route(says, of.routes[i])) set(by_route_[i], at);
  for (const auto& each : says.subjects.users)
    users_.add(each, at);
  for (const auto& each : says.subjects.groups)
    groups_.add(each, at);
  if (!says.subjects.service_accounts.empty() || !says.subjects.spiffe.empty()) set(others_, at);
}

policy_set::bits policy_set::candidates(const question& asked) const {
  bits found = others_;
  users_.look(asked.principal(), found);
  if (asked.who != nullptr) {
    for (const auto& each : asked.who->groups)
      groups_.look(each, found);
  }
  const bits& of_route = by_route_[asked.route_index];
  for (std::size_t i = 0; i < found.size(); ++i)
    found[i] &= of_route[i];
  return found;
}

bool policy_set::governs(const config::route& route) const {
  return all_ || std::binary_search(governed_.begin(), governed_.end(), route.name_space);
}

decision policy_set::decide(const question& asked) const {
  const bits found = candidates(asked);
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (std::uint64_t left = found[i]; left != 0; left &= left - 1) {
      const policy& one = policies_[i * 64 + static_cast<std::size_t>(std::countr_zero(left))];
      if (fits(one, asked) != misfit::none) continue;
      if (one.says.effect == config::access_effect::deny) return {&one, outcome::deny};
      return {&one, one.says.approval ? outcome::wait : outcome::allow};
    }
  }
  return {};
}

misfit policy_set::fits(const policy& one, const question& asked) const {
  const access_policy& says = one.says;
  if (!is_subject(says, asked)) return misfit::subject;
  if (!is_route(says, *asked.route)) return misfit::route;
  if (!all_or_glob(says.databases, asked.database)) return misfit::database;
  if (asked.replication && !says.replication && says.effect == config::access_effect::allow)
    return misfit::replication;
  if (!is_source(says, asked)) return misfit::source;
  return one.open_at(asked.when) ? misfit::none : misfit::hours;
}

}  // namespace trunkline::access
