#include "session/ephemeral_role.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/limits.h"
#include "grants/request_json.h"
#include "pool/setting_map.h"
#include "runtime/random.h"
#include "telemetry/utf8.h"

namespace trunkline::session {

using pool::quote_identifier;
using pool::quote_literal;

namespace {

constexpr std::size_t name_bytes = 63;  // NAMEDATALEN - 1
constexpr std::string_view comment_begins = "trunkline: grant ";
constexpr std::string_view before_database = ", database ";

/// As a name can have it: whole characters, none of them for terminals.
std::string plain(std::string_view text, std::size_t most) {
  std::string made = telemetry::valid_utf8(text);
  std::size_t kept = std::min(most, made.size());
  while (kept < made.size() && (static_cast<unsigned char>(made[kept]) & 0xc0) == 0x80)
    --kept;
  made.resize(kept);
  std::replace_if(
      made.begin(), made.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      '_');
  return made;
}

void add_once(std::vector<std::string>& to, const std::string& name) {
  if (!name.empty() && std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
}

}  // namespace

ephemeral_role role_of(const grants::record& of, const config::route& route, std::string_view database,
                       std::string_view tag) {
  const config::ephemeral_roles& with = *route.login->ephemeral;
  ephemeral_role made;
  made.grant = of.id;
  made.principal = of.what.principal;
  made.route = route.name;
  made.upstream = route.upstream;
  made.database = database;
  made.until = of.until;
  const std::string number = fmt::format("_{}_{}", of.id, tag);
  made.name =
      with.prefix + plain(of.what.principal, name_bytes - with.prefix.size() - number.size()) + number;
  add_once(made.member_of, of.role);
  for (const auto& each : with.member_of)
    add_once(made.member_of, each);
  made.reassign_to = with.reassign_to;
  if (made.reassign_to.empty() && !made.member_of.empty()) made.reassign_to = made.member_of.front();
  return made;
}

auth::bound_client_keys random_role_keys() {
  const auto salt = runtime::random_bytes<16>();
  return {.keys = {.client_key = auth::secret_key(runtime::random_bytes<sizeof(auth::digest)>()),
                   .server_key = auth::secret_key(runtime::random_bytes<sizeof(auth::digest)>())},
          .salt = {salt.begin(), salt.end()},
          .iterations = auth::default_iterations};
}

secret_text make_statement(const ephemeral_role& role, const auth::bound_client_keys& keys,
                           std::string_view gateway) {
  const std::string name = quote_identifier(role.name);
  const auto verifier = auth::format_verifier(auth::verifier_of(keys.keys, keys.salt, keys.iterations));
  std::string made = fmt::format(
      "BEGIN; CREATE ROLE {} LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS "
      "PASSWORD {} VALID UNTIL {}; COMMENT ON ROLE {} IS {};",
      name, quote_literal(verifier.reveal()), quote_literal(grants::time_text(role.until)), name,
      quote_literal(fmt::format("{}{}, gateway {}{}{}", comment_begins, role.grant, gateway, before_database,
                                role.database)));
  for (const auto& each : role.member_of)
    made += fmt::format(" GRANT {} TO {};", quote_identifier(each), name);
  return secret_text(made + " COMMIT");
}

std::string find_statement(std::string_view role) {
  return "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = " + quote_literal(role);
}

std::vector<std::string> close_statements(std::string_view role) {
  const std::string name = quote_identifier(role);
  // Whoever may end another's sessions, and give away what it owns, is a member of it.
  return {fmt::format("ALTER ROLE {} NOLOGIN", name), fmt::format("GRANT {} TO CURRENT_USER", name),
          "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = " +
              quote_literal(role)};
}

std::string sessions_statement(std::string_view role) {
  return "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = " + quote_literal(role);
}

std::string owns_statement(std::string_view role) {
  return "SELECT 1 FROM pg_catalog.pg_shdepend s JOIN pg_catalog.pg_roles r ON r.oid = s.refobjid WHERE "
         "s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.deptype = 'o' AND s.dbid IN (0, "
         "(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())) AND "
         "r.rolname = " +
         quote_literal(role) + " LIMIT 1";
}

std::string drop_statement(std::string_view role, std::string_view reassign_to) {
  const std::string name = quote_identifier(role);
  std::string made = "BEGIN; ";
  if (!reassign_to.empty())
    made += fmt::format("REASSIGN OWNED BY {} TO {}; ", name, quote_identifier(reassign_to));
  // What was granted to it, too; it owns nothing any more.
  return made + fmt::format("DROP OWNED BY {}; DROP ROLE {}; COMMIT", name, name);
}

std::string orphans_statement(std::string_view prefix) {
  return fmt::format(
      "SELECT r.rolname, d.description, (SELECT g.rolname FROM pg_catalog.pg_auth_members m JOIN "
      "pg_catalog.pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1 LIMIT 1) FROM "
      "pg_catalog.pg_roles r JOIN pg_catalog.pg_shdescription d ON "
      "d.objoid = r.oid AND d.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass WHERE "
      "pg_catalog.starts_with(r.rolname::pg_catalog.text, {}) AND pg_catalog.starts_with(d.description, {}) "
      "AND "
      "r.rolvaliduntil < pg_catalog.now() - pg_catalog.make_interval(secs => {}) LIMIT {}",
      quote_literal(prefix), quote_literal(comment_begins), limits::role_orphan_age.count(), limits::roles);
}

std::optional<orphan> orphan_of(std::string_view comment) {
  if (!comment.starts_with(comment_begins)) return std::nullopt;
  comment.remove_prefix(comment_begins.size());
  orphan made;
  const auto [end, wrong] = std::from_chars(comment.data(), comment.data() + comment.size(), made.grant);
  if (wrong != std::errc() || end == comment.data() + comment.size() || *end != ',') return std::nullopt;
  const auto at = comment.find(before_database);
  if (at == std::string_view::npos) return std::nullopt;
  made.database = comment.substr(at + before_database.size());
  return made;
}

}  // namespace trunkline::session
