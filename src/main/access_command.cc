#include "main/access_command.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <expected>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "access/policy_set.h"
#include "admin/json.h"
#include "config/enum_names.h"
#include "config/load.h"
#include "main/audit_command.h"
#include "main/check.h"
#include "main/options.h"
#include "routing/route_match.h"

namespace trunkline::main {

namespace {

using admin::json;

/// What was asked, and what it lives on.
struct asked_for {
  config::snapshot settings;
  std::shared_ptr<const access::policy_set> policies;
  auth::identity who;
  access::question question;
};

std::expected<const config::route*, std::string> find_route(const access_options& options,
                                                            const config::settings& settings,
                                                            const access::question& asked) {
  if (!options.route.empty()) {
    for (const auto& each : settings.routes)
      if (each.name == options.route) return &each;
    return std::unexpected("--route: there is no route \"" + options.route + "\"");
  }
  for (const auto& from : settings.listeners) {
    routing::connection_facts facts;
    facts.listener = from.name;
    facts.database = asked.database;
    facts.user = asked.user;
    facts.source = asked.source;
    if (const auto* found = routing::find_route(settings, facts)) return found;
  }
  return std::unexpected("no route fits; --route names one");
}

std::expected<void, std::string> fill(asked_for& made, const access_options& options) {
  access::question& asked = made.question;
  made.who = {.principal = options.principal, .groups = options.groups};
  asked.user = options.user.empty() ? options.principal : options.user;
  asked.database = options.database;
  asked.replication = options.replication;
  if (!options.from.empty()) {
    asked.source = config::ip_address::parse(options.from);
    if (!asked.source) return std::unexpected("--from: \"" + options.from + "\" is not an address");
  }
  using std::chrono::microseconds;
  const auto now = std::chrono::floor<microseconds>(std::chrono::system_clock::now());
  std::int64_t when = now.time_since_epoch().count();
  if (!options.at.empty() && !read_moment(options.at, when, when))
    return std::unexpected("--at: \"" + options.at +
                           "\" is neither a time such as 2026-01-31T12:00:00Z nor an age");
  asked.when = access::wall_time(microseconds(when));
  const auto route = find_route(options, *made.settings, asked);
  if (!route) return std::unexpected(route.error());
  asked.route = *route;
  asked.route_index = static_cast<std::size_t>(*route - made.settings->routes.data());
  if (config::tells_identity((*route)->auth.method)) {
    asked.who = &made.who;
  } else if (asked.user != options.principal) {
    return std::unexpected("--user: route \"" + (*route)->name + "\" knows nothing of a client but its user");
  }
  return {};
}

json list_of(const std::vector<config::statement_class>& denied) {
  json list = json::array();
  for (const auto each : denied)
    list.push_back(config::name_of(config::statement_classes, each));
  return list;
}

/// All that are refused, also by the level.
std::vector<config::statement_class> refused_classes(const access::guard_rules& by) {
  std::vector<config::statement_class> all;
  for (const auto& each : config::statement_classes)
    if (by.denies(each.value)) all.push_back(each.value);
  return all;
}

json given(const access::policy& by, access::wall_time when) {
  json made{{"level", config::name_of(config::access_levels, by.says.level)}};
  if (!by.says.role.empty()) made["role"] = by.says.role;
  made["refused"] = list_of(refused_classes(by.guard));
  made["replication"] = by.says.replication;
  if (by.says.max_length.count() > 0) made["maxSeconds"] = by.says.max_length.count() / 1000;
  if (const auto end = by.closes_after(when)) made["ends"] = admin::rfc3339(*end);
  if (by.guard.max_rows > 0) made["maxRows"] = by.guard.max_rows;
  if (by.guard.max_bytes > 0) made["maxBytes"] = by.guard.max_bytes;
  if (!by.says.settings.empty()) {
    for (const auto& [name, value] : by.says.settings)
      made["settings"][name] = value;
  }
  if (const auto& needed = by.says.approval) {
    made["approval"] = {{"anyOf", needed->any_of},
                        {"allOf", needed->all_of},
                        {"count", needed->count},
                        {"reason", needed->reason}};
  }
  return made;
}

/// What is known of who asks for what.
json asked_of(const asked_for& all) {
  const access::question& asked = all.question;
  return {{"principal", all.who.principal},
          {"user", asked.user},
          {"database", asked.database},
          {"route", asked.route->name},
          {"at", admin::rfc3339(asked.when)}};
}

/// The route's namespace has no policies, and neither has the file.
json ungoverned(const asked_for& all) {
  json made = asked_of(all);
  made.update({{"policies", json::array()},
               {"outcome", access::outcome_names[0]},
               {"reason", "no access policy is for this route, and it decides alone"}});
  return made;
}

json explain(const asked_for& all) {
  const access::question& asked = all.question;
  if (!all.policies->governs(*asked.route)) return ungoverned(all);
  const access::decision decided = all.policies->decide(asked);
  json list = json::array();
  for (const auto& each : all.policies->policies()) {
    const access::misfit why = all.policies->fits(each, asked);
    json one{{"policy", each.says.name}, {"fits", why == access::misfit::none}};
    if (why != access::misfit::none) one["why"] = access::text_of(why);
    if (&each == decided.by) one["decides"] = true;
    list.push_back(std::move(one));
  }
  json made = asked_of(all);
  made.update({{"policies", std::move(list)},
               {"outcome", access::outcome_names[static_cast<std::size_t>(decided.what)]},
               {"reason", decided.reason()}});
  if (decided.by != nullptr && decided.what != access::outcome::deny)
    made["gives"] = given(*decided.by, asked.when);
  const auto& by_kubernetes = asked.route->auth.kubernetes;
  if (by_kubernetes && by_kubernetes->authorization)
    made["rbac"] = {{"namespace", by_kubernetes->authorization->name_space},
                    {"name", by_kubernetes->authorization->name}};
  return made;
}

void print_text(const json& of) {
  fmt::print("{} as {}, database {}, route {}, at {}\n", of["principal"].get<std::string>(),
             of["user"].get<std::string>(), of["database"].get<std::string>(), of["route"].get<std::string>(),
             of["at"].get<std::string>());
  bool decided = false;
  for (const auto& each : of["policies"]) {
    std::string what = each["fits"].get<bool>() ? "fits" : "no: " + each["why"].get<std::string>();
    if (each.contains("decides")) what = "DECIDES";
    if (decided) what += " (not asked any more)";
    decided = decided || each.contains("decides");
    fmt::print("  {:<24} {}\n", each["policy"].get<std::string>(), what);
  }
  fmt::print("{}: {}\n", of["outcome"].get<std::string>(), of["reason"].get<std::string>());
  if (!of.contains("gives")) return;
  for (const auto& [name, value] : of["gives"].items())
    fmt::print("  {:<24} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  if (!of.contains("rbac")) return;
  fmt::print(
      "RBAC is asked too, and the lower level holds:\n"
      "  kubectl auth can-i connect postgresroutes.trunkline.dev/{} -n {} --as {}\n",
      of["rbac"]["name"].get<std::string>(), of["rbac"]["namespace"].get<std::string>(),
      of["principal"].get<std::string>());
}

int refuse_usage(const std::string& why) {
  fmt::print(stderr, "trunkline access explain: {}\n", why);
  return exit_usage;
}

}  // namespace

void add_access_command(CLI::App& app, access_options& options) {
  auto* command = app.add_subcommand("access", "access policies");
  command->require_subcommand(1);
  auto* explain =
      command->add_subcommand("explain", "which policy decides for a client, and why the others do not");
  explain->add_option("-c,--config", options.config_file, "the configuration, YAML")->required();
  explain->add_option("--as", options.principal, "who the client is: its principal")->required();
  explain->add_option("--database", options.database, "that it asks for")->required();
  explain->add_option("--user", options.user, "of the database; left out: named as the principal is");
  explain->add_option("--group", options.groups, "that it is in; may be given several times");
  explain->add_option("--route", options.route, "left out: the one that it would get");
  explain->add_option("--from", options.from, "its address; left out: a unix socket");
  explain->add_option("--at", options.at, "when: 2026-01-31T12:00:00Z; left out: now");
  explain->add_flag("--replication", options.replication, "it asks for a replication connection");
  explain->add_option("--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
}

int run_access(const access_options& options) {
  auto loaded = config::load_file(options.config_file);
  if (!loaded.value) {
    print_findings(loaded);
    return exit_usage;
  }
  asked_for all{.settings = loaded.value, .policies = nullptr, .who = {}, .question = {}};
  auto policies = access::policy_set::build(*all.settings);
  if (!policies) return refuse_usage(policies.error().message);
  if (*policies == nullptr) return refuse_usage("there are no access policies: routes alone decide");
  all.policies = std::move(*policies);
  if (auto filled = fill(all, options); !filled) return refuse_usage(filled.error());
  const json said = explain(all);
  options.output == "json" ? fmt::print("{}\n", said.dump(2)) : print_text(said);
  if (std::fflush(stdout) != 0) return exit_failure;
  return said["outcome"] == "deny" ? exit_failure : exit_good;
}

}  // namespace trunkline::main
