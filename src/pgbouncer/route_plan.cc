#include "pgbouncer/route_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace trunkline::pgbouncer {

namespace {

/// More names than a list of the configuration takes are not listed.
bool can_be_listed(std::size_t users) {
  return users <= limits::config_list_entries;
}

class planner {
 public:
  planner(conversion_state& state, const named_values& database, bool server_may_check)
      : state_(state), database_(database), server_may_check_(server_may_check) {}

  std::vector<route_plan> plan();

 private:
  void prepare();
  void plan_trust(const std::vector<std::string>& listeners);
  void plan_scram();
  void plan_special_users(plan_auth for_file, const std::vector<std::string>& listeners);
  void tell_of_md5(const std::vector<std::string>& names);
  route_plan base(plan_auth auth) const;
  const named_values* special(std::string_view user) const;
  bool is_forced() const { return !forced_user_.empty(); }
  bool has_query() const { return !query_.user.empty(); }

  conversion_state& state_;
  const named_values& database_;
  bool server_may_check_;
  std::string forced_user_;
  std::string forced_variable_;
  query_plan query_;
  std::vector<route_plan> routes_;
};

const named_values* planner::special(std::string_view user) const {
  const auto& all = state_.from.users;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const named_values& each) { return each.name == user; });
  return found == all.end() ? nullptr : &*found;
}

route_plan planner::base(plan_auth auth) const {
  route_plan made{.database = &database_, .auth = auth};
  if (auth == plan_auth::query) made.query = query_;
  made.credentials_user = forced_user_;
  made.credentials_variable = forced_variable_;
  return made;
}

/// Whoever logs in to the server for all, and whoever asks for verifiers.
void planner::prepare() {
  const auto& given = database_.values;
  const auto password_of = [&](const std::string& user) -> secret_text {
    const auto known = state_.users.find(user);
    const bool plain = known != state_.users.end() && known->second.kind == secret_kind::plain;
    return plain ? known->second.secret : secret_text{};
  };
  forced_user_ = given.text("user");
  if (is_forced()) {
    auto password = given.has("password") ? given.find("password")->value : password_of(forced_user_);
    if (!password.empty()) forced_variable_ = state_.variable(database_.name, password);
    const auto known = state_.users.find(forced_user_);
    if (password.empty() && known != state_.users.end() && known->second.kind != secret_kind::none) {
      state_.tell(
          fate::no_equal, given, "user",
          fmt::format("{}: of `{}` auth_file has no password but a hash, with which nobody can log in "
                      "to the server in place of others",
                      database_.name, forced_user_));
    }
  } else if (given.has("password")) {
    state_.tell(fate::not_needed, given, "password",
                database_.name + ": without user= each client logs in with its own");
  }
  const auto text_of = [&](std::string_view key) {
    return given.has(key) ? given.text(key) : state_.globals().text(key);
  };
  query_.user = text_of("auth_user");
  if (!has_query() || state_.auth != auth_kind::scram) return;
  query_.sql = text_of("auth_query");
  if (query_.sql.empty()) query_.sql = state_.globals().text("auth_query");
  query_.database = text_of("auth_dbname");
  if (query_.database.empty()) query_.database = given.text("dbname");
  if (query_.database.empty() && database_.name != "*") query_.database = database_.name;
  if (query_.database.empty()) {
    query_.database = "postgres";
    state_.tell(fate::no_equal, database_.where, "* : auth_query",
                "one database is asked for all that have no line of their own: postgres, or auth_dbname");
  }
  if (const auto password = password_of(query_.user); !password.empty())
    query_.variable = state_.variable(query_.user, password);
}

/// Routes for single users come first: the first that fits wins.
void planner::plan_special_users(plan_auth for_file, const std::vector<std::string>& listeners) {
  for (const auto& each : state_.from.users) {
    const auto known = state_.users.find(each.name);
    auto auth = for_file;
    if (for_file == plan_auth::file) {
      if (known == state_.users.end() && !has_query()) continue;  // nobody lets it in
      if (known == state_.users.end()) auth = plan_auth::query;
      const bool is_md5 = known != state_.users.end() && known->second.kind == secret_kind::md5;
      if (is_md5 && server_may_check_ && !is_forced()) auth = plan_auth::server;
    }
    route_plan made = base(auth);
    made.user = &each;
    made.users = {as_pattern(each.name)};
    made.suffix = "." + each.name;
    made.listeners = listeners;
    const bool plain = known != state_.users.end() && known->second.kind == secret_kind::plain;
    if (auth == plan_auth::trust && !is_forced() && plain) {
      made.credentials_user = each.name;
      made.credentials_variable = state_.variable(each.name, known->second.secret);
    }
    routes_.push_back(std::move(made));
  }
}

void planner::plan_trust(const std::vector<std::string>& listeners) {
  plan_special_users(plan_auth::trust, listeners);
  std::vector<std::string> rest;
  for (const auto& [name, user] : state_.users) {
    if (special(name) != nullptr) continue;
    if (user.kind != secret_kind::plain || is_forced()) {
      rest.push_back(as_pattern(name));
      continue;
    }
    route_plan made = base(plan_auth::trust);
    made.users = {as_pattern(name)};
    made.suffix = "." + name;
    made.listeners = listeners;
    made.credentials_user = name;
    made.credentials_variable = state_.variable(name, user.secret);
    routes_.push_back(std::move(made));
  }
  const bool anybody = state_.auth == auth_kind::any || !can_be_listed(rest.size());
  if (rest.empty() && !anybody) return;
  route_plan made = base(plan_auth::trust);
  if (!anybody) made.users = std::move(rest);
  made.listeners = listeners;
  made.suffix = ".local";
  routes_.push_back(std::move(made));
}

void planner::tell_of_md5(const std::vector<std::string>& names) {
  if (names.empty()) return;
  std::string list;
  for (std::size_t i = 0; i < names.size() && i < 5; ++i)
    list += (i == 0 ? "`" : ", `") + names[i] + "`";
  if (names.size() > 5) list += fmt::format(" and {} more", names.size() - 5);
  const std::string what =
      server_may_check_ && !is_forced()
          ? "the server itself asks these users for their password, and their connections are not pooled"
          : "these users cannot log in";
  state_.tell(fate::no_equal, state_.globals(), "auth_file",
              fmt::format("{}: of {} there is only an md5 hash, of which SCRAM makes nothing: {}; set their "
                          "passwords again with password_encryption = 'scram-sha-256' and copy the verifiers "
                          "from pg_authid",
                          database_.name, list, what));
}

void planner::plan_scram() {
  plan_special_users(plan_auth::file, {});
  std::vector<std::string> md5;
  std::vector<std::string> others;
  for (const auto& [name, user] : state_.users) {
    auto& to = user.kind == secret_kind::md5 ? md5 : others;
    if (special(name) == nullptr || user.kind == secret_kind::md5) to.push_back(name);
  }
  tell_of_md5(md5);
  const auto listed = [&](const std::vector<std::string>& names) {
    std::vector<std::string> patterns;
    for (const auto& each : names)
      patterns.push_back(as_pattern(each));
    return patterns;
  };
  if (!md5.empty() && can_be_listed(md5.size()) && server_may_check_ && !is_forced()) {
    route_plan made = base(plan_auth::server);
    made.users = listed(md5);
    made.suffix = ".md5";
    routes_.push_back(std::move(made));
  }
  if (has_query() && !can_be_listed(others.size())) {
    state_.tell(fate::no_equal, state_.globals(), "auth_file",
                "has too many users to stand beside auth_query: only auth_query is asked");
    others.clear();
  }
  if (!state_.auth_file.empty() && (!has_query() || !others.empty())) {
    route_plan made = base(plan_auth::file);
    if (has_query()) made.users = listed(others);
    routes_.push_back(std::move(made));
  }
  if (!has_query()) return;
  route_plan made = base(plan_auth::query);
  made.suffix = ".query";
  routes_.push_back(std::move(made));
}

std::vector<route_plan> planner::plan() {
  prepare();
  std::vector<std::string> local;
  bool any_remote = false;
  for (const auto& each : state_.listeners) {
    if (each.address.is_local()) local.push_back(each.name);
    any_remote = any_remote || !each.address.is_local();
  }
  const bool trusts = state_.auth != auth_kind::scram && !local.empty();
  if (trusts) plan_trust(any_remote ? local : std::vector<std::string>{});
  if (trusts && !any_remote) return std::move(routes_);
  if (state_.auth_file.empty() && !has_query()) {
    if (trusts) return std::move(routes_);
    state_.problem(state_.globals(), "auth_file",
                   "neither auth_file nor auth_user is set: nobody could log in", "auth_file = userlist.txt");
    return {};
  }
  plan_scram();
  return std::move(routes_);
}

}  // namespace

std::vector<route_plan> plan_routes(conversion_state& state, const named_values& database,
                                    bool server_may_check) {
  return planner(state, database, server_may_check).plan();
}

}  // namespace trunkline::pgbouncer
