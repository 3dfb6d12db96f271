// Who is known (auth_type, auth_file), keepalive, and the console.
#include <fmt/format.h>

#include <algorithm>

#include "pgbouncer/conversion_state.h"

namespace trunkline::pgbouncer {

namespace {

bool is_local(const listener_plan& one) {
  return one.address.is_local();
}

auth_kind kind_of(conversion_state& state) {
  const given_values& globals = state.globals();
  const auto type = state.word(
      globals, "auth_type", {"md5", "scram-sha-256", "plain", "trust", "any", "cert", "hba", "pam", "ldap"});
  if (type == "trust" || type == "any") {
    if (!std::all_of(state.listeners.begin(), state.listeners.end(), is_local)) {
      state.tell(fate::no_equal, globals, "auth_type",
                 "nobody is let in unasked on an address that others reach: there clients must prove their "
                 "password with SCRAM");
    }
    return type == "any" ? auth_kind::any : auth_kind::trust;
  }
  if (type == "plain" || type == "md5") {
    if (globals.has("auth_type") && type == "plain")
      state.tell(fate::elsewhere, globals, "auth_type",
                 "clients are asked with SCRAM-SHA-256, which drivers answer with the same password");
  } else if (type != "scram-sha-256") {
    state.tell(fate::no_equal, globals, "auth_type",
               fmt::format("there is no {}: clients must prove their password with SCRAM", type));
  }
  return auth_kind::scram;
}

void write_keepalive(conversion_state& state) {
  const given_values& globals = state.globals();
  const bool off = globals.number("tcp_keepalive") == 0;
  const auto given = [&](std::string_view name) { return globals.number(name) > 0; };
  const bool any = off || given("tcp_keepidle") || given("tcp_keepintvl") || given("tcp_keepcnt") ||
                   given("tcp_user_timeout");
  if (!any) return;
  using std::chrono::milliseconds;
  const auto time = [&](std::string_view key, std::string_view name, std::int64_t factor) {
    if (!given(name)) return;
    const auto path = fmt::format("keepalive.{}", key);
    state.out.plain(key, state.duration(globals, name, path, milliseconds(globals.number(name) * factor)));
  };
  state.out.open("keepalive");
  if (off) state.out.plain("idle", "0");
  if (!off) time("idle", "tcp_keepidle", 1'000);
  time("interval", "tcp_keepintvl", 1'000);
  if (given("tcp_keepcnt")) {
    state.out.plain("probes", std::to_string(state.bounded(globals, "tcp_keepcnt", "keepalive.probes",
                                                           globals.number("tcp_keepcnt"))));
  }
  time("userTimeout", "tcp_user_timeout", 1);
  state.out.close();
}

std::vector<std::string> patterns_of(const std::vector<std::string>& names) {
  std::vector<std::string> patterns;
  for (const auto& each : names)
    patterns.push_back(as_pattern(each));
  return patterns;
}

void check_console_users(conversion_state& state, std::string_view key,
                         const std::vector<std::string>& names) {
  for (const auto& each : names) {
    const auto known = state.users.find(each);
    const bool can = known != state.users.end() &&
                     (known->second.kind == secret_kind::plain || known->second.kind == secret_kind::scram);
    if (can) continue;
    state.tell(
        fate::no_equal, state.globals(), key,
        fmt::format("`{}` has no password or SCRAM verifier in auth_file, which the console asks for", each));
  }
}

void write_console(conversion_state& state) {
  const given_values& globals = state.globals();
  const auto admins = split_list(globals.text("admin_users"));
  const auto readers = split_list(globals.text("stats_users"));
  if (admins.empty() && readers.empty()) return;
  if (state.auth_file.empty()) {
    state.tell(fate::no_equal, globals, admins.empty() ? "stats_users" : "admin_users",
               "the console's users are those of a file: auth_file is not set");
    return;
  }
  check_console_users(state, "admin_users", admins);
  check_console_users(state, "stats_users", readers);
  state.out.open("admin");
  state.out.text("address", "127.0.0.1:9630");
  state.out.open("console");
  if (!admins.empty()) state.out.texts("users", patterns_of(admins));
  if (!readers.empty()) state.out.texts("readers", patterns_of(readers));
  state.out.text("verifierFile", state.auth_file);
  state.out.close();
  state.out.close();
}

}  // namespace

void read_users(conversion_state& state) {
  const given_values& globals = state.globals();
  state.auth = kind_of(state);
  const std::string path = state.absolute(globals.text("auth_file"));
  if (path.empty()) return;
  const auto text = state.here.read(path);
  if (!text) return state.problem(globals, "auth_file", path + ": " + text.error(), "a readable file");
  auto users = read_userlist(*text, path);
  if (!users) return state.problems.push_back(std::move(users.error()));
  state.users = std::move(*users);
  state.auth_file = path;
}

void convert_rest(conversion_state& state) {
  write_keepalive(state);
  write_console(state);
}

}  // namespace trunkline::pgbouncer
