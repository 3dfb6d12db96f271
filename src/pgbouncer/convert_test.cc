#include "pgbouncer/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/limits.h"
#include "config/load.h"
#include "config/schema.h"

namespace trunkline::pgbouncer {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view verifier = "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$c3RvcmVk:c2VydmVy";

std::map<std::string, std::string> with_users() {
  return {{"/w/users.txt", "\"app\" \"plain secret\"\n\"ops\" \"" + std::string(verifier) +
                               "\"\n\"old\" \"md5" + std::string(32, 'b') + "\"\n"}};
}

struct converted {
  std::expected<conversion, std::vector<config::problem>> made;
  config::loaded loaded;
};

/// Converted, and loaded as the gateway would, without looking for files.
converted convert_text(const std::string& ini, std::map<std::string, std::string> files = with_users()) {
  files["i"] = ini;
  const text_reader read = [&](const std::string& path) -> std::expected<secret_text, std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::unexpected("No such file or directory");
    return secret_text(found->second);
  };
  const auto file = read_ini("i", read);
  EXPECT_TRUE(file) << file.error().render();
  auto settings = read_settings(*file);
  EXPECT_TRUE(settings) << settings.error().front().render();
  converted all{convert(*settings, {.folder = "/w", .has_ipv6 = true, .read = read}), {}};
  if (!all.made) return all;
  config::load_options options;
  options.check_files = false;
  options.environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto secret = all.made->secrets.find(name);
    return secret == all.made->secrets.end() ? std::nullopt : std::optional(secret->second.reveal());
  };
  all.loaded = config::load_text(all.made->yaml, "made", options);
  for (const auto& each : all.loaded.problems)
    ADD_FAILURE() << each.render() << "\n" << all.made->yaml;
  return all;
}

std::vector<std::string> lost(const converted& from) {
  std::vector<std::string> all;
  for (const auto& each : from.made->notes) {
    if (each.why == fate::no_equal) all.push_back(each.render());
  }
  return all;
}

std::vector<std::string> problems(const std::string& ini,
                                  std::map<std::string, std::string> files = with_users()) {
  const auto all = convert_text(ini, std::move(files));
  std::vector<std::string> rendered;
  if (all.made) return rendered;
  for (const auto& each : all.made.error())
    rendered.push_back(each.render());
  return rendered;
}

const std::string small =
    "[databases]\napp = host=db.example.org\n[pgbouncer]\nlisten_addr = 127.0.0.1\nauth_file = users.txt\n"
    "auth_type = scram-sha-256\n";

TEST(Convert, ADatabaseIsARouteAndAnUpstreamOfItsName) {
  const auto all = convert_text(small);
  const auto& settings = *all.loaded.value;
  ASSERT_EQ(settings.listeners.size(), 2u);
  EXPECT_EQ(settings.listeners[0].address.text(), "127.0.0.1:6432");
  EXPECT_EQ(settings.listeners[0].max_sessions, 100u);
  EXPECT_EQ(settings.listeners[1].address.text(), "unix:/tmp/.s.PGSQL.6432");
  ASSERT_EQ(settings.upstreams.size(), 1u);
  EXPECT_EQ(settings.upstreams[0].name, "app");
  EXPECT_EQ(settings.upstreams[0].endpoints.front().text(), "db.example.org:5432");
  EXPECT_EQ(settings.upstreams[0].tls.mode, config::upstream_tls_mode::prefer);
  EXPECT_EQ(settings.upstreams[0].connect_timeout, std::chrono::seconds(15));
  EXPECT_EQ(settings.upstreams[0].max_wait, std::chrono::seconds(120));
  const auto& last = settings.routes.back();
  EXPECT_EQ(last.name, "app");
  EXPECT_THAT(last.match.databases, ElementsAre("app"));
  EXPECT_EQ(last.target, config::route_target::any);
  EXPECT_EQ(last.auth.method, config::auth_method::scram);
  EXPECT_EQ(last.auth.verifier_file, "/w/users.txt");
}

TEST(Convert, UsersWithAnMd5HashAreAskedByTheServer) {
  const auto all = convert_text(small);
  const auto& first = all.loaded.value->routes.front();
  EXPECT_EQ(first.name, "app.md5");
  EXPECT_THAT(first.match.users, ElementsAre("old"));
  EXPECT_EQ(first.auth.method, config::auth_method::server);
  EXPECT_THAT(lost(all), Contains(HasSubstr("auth_file: no equal: app: of `old` there is only an md5 hash")));
  // Between TLS on both legs the server cannot ask.
  const auto tls = convert_text(
      small + "client_tls_sslmode = require\nclient_tls_cert_file = c\nclient_tls_key_file = k\n");
  EXPECT_EQ(tls.loaded.value->routes.size(), 1u);
  EXPECT_THAT(lost(tls), Contains(HasSubstr("these users cannot log in")));
}

TEST(Convert, PasswordsAreNotInTheYaml) {
  const auto all = convert_text(
      "[databases]\na = host=h user=app\nb = host=h user=u password='it''s ${HOME}'\n"
      "[pgbouncer]\nauth_file = users.txt\n");
  EXPECT_THAT(all.made->yaml, Not(HasSubstr("plain secret")));
  EXPECT_THAT(all.made->yaml, Not(HasSubstr("it's")));
  const auto& routes = all.loaded.value->routes;
  ASSERT_EQ(routes.size(), 2u) << all.made->yaml;
  EXPECT_EQ(routes[0].login->usual.user, "app");
  EXPECT_EQ(routes[0].login->usual.password.reveal(), "plain secret");
  EXPECT_EQ(routes[1].login->usual.password.reveal(), "it's ${HOME}");
  EXPECT_EQ(all.made->secrets.size(), 2u);
}

TEST(Convert, AuthQueryStandsBesideTheFile) {
  const auto all =
      convert_text(small + "auth_user = app\nauth_query = SELECT u, p FROM f($1)\nauth_dbname = meta\n");
  const auto& routes = all.loaded.value->routes;
  ASSERT_EQ(routes.size(), 3u) << all.made->yaml;
  EXPECT_THAT(routes[1].match.users, ElementsAre("app", "ops"));
  EXPECT_TRUE(routes[2].match.users.empty());
  ASSERT_TRUE(routes[2].auth.query);
  EXPECT_EQ(routes[2].auth.query->sql, "SELECT u, p FROM f($1)");
  EXPECT_EQ(routes[2].auth.query->user, "app");
  EXPECT_EQ(routes[2].auth.query->password.reveal(), "plain secret");
  EXPECT_EQ(routes[2].auth.query->database, "meta");
}

TEST(Convert, TheFallbackComesLast) {
  const auto all = convert_text(
      "[databases]\n* = host=a\napp = host=/run/pg port=5433 dbname=other\n"
      "[pgbouncer]\nauth_file = users.txt\nserver_tls_sslmode = disable\n");
  const auto& settings = *all.loaded.value;
  EXPECT_EQ(settings.upstreams[0].name, "app");
  EXPECT_EQ(settings.upstreams[0].endpoints.front().text(), "unix:/run/pg/.s.PGSQL.5433");
  EXPECT_EQ(settings.routes[1].database, "other");
  EXPECT_EQ(settings.upstreams[1].name, "any");
  EXPECT_TRUE(settings.routes.back().match.databases.empty());
}

TEST(Convert, TrustIsOnlyForThisMachine) {
  const std::string local =
      "[databases]\napp = host=h\n[pgbouncer]\nauth_type = trust\nauth_file = users.txt\n";
  const auto near = convert_text(local);
  ASSERT_EQ(near.loaded.value->routes.size(), 2u) << near.made->yaml;
  EXPECT_EQ(near.loaded.value->routes[0].auth.method, config::auth_method::trust);
  EXPECT_EQ(near.loaded.value->routes[0].login->usual.password.reveal(), "plain secret");
  EXPECT_THAT(near.loaded.value->routes[1].match.users, ElementsAre("old", "ops"));
  EXPECT_THAT(lost(near), Not(Contains(HasSubstr("auth_type"))));

  const auto far = convert_text(local + "listen_addr = *\n");
  EXPECT_EQ(far.loaded.value->listeners[0].address.text(), "[::]:6432");
  EXPECT_THAT(far.loaded.value->routes[0].match.listeners, ElementsAre("unix"));
  EXPECT_EQ(far.loaded.value->routes.back().auth.method, config::auth_method::scram);
  EXPECT_THAT(lost(far), Contains(HasSubstr("auth_type: no equal: nobody is let in unasked")));

  const auto any = convert_text("[databases]\napp = host=h user=x\n[pgbouncer]\nauth_type = any\n");
  EXPECT_TRUE(any.loaded.value->routes.front().match.users.empty());
}

TEST(Convert, UsersAndDatabasesHaveTheirOwnValues) {
  const auto all = convert_text(
      "[users]\napp = pool_mode=session client_idle_timeout=5 max_user_client_connections=4\nnobody = "
      "query_timeout=1\n"
      "[databases]\napp = host=h,2001:db8::1 timezone=UTC transaction_timeout=9 max_db_client_connections=8\n"
      "[pgbouncer]\nauth_file=users.txt\nclient_idle_timeout=60\nquery_timeout=2.5\nidle_transaction_timeout="
      "30\nmax_user_client_connections=20\n"
      "tcp_keepidle=40\ntcp_keepcnt=4\ntcp_user_timeout=12500\nlisten_addr=localhost\n");
  const auto& settings = *all.loaded.value;
  const auto& special = settings.routes.front();
  EXPECT_EQ(special.name, "app.app");
  EXPECT_EQ(special.limits.idle_timeout, std::chrono::seconds(5));
  EXPECT_EQ(special.limits.transaction_timeout, std::chrono::seconds(9));
  EXPECT_EQ(special.limits.max_sessions, 8u);
  EXPECT_EQ(special.limits.max_sessions_per_principal, 4u);
  const auto& rest = settings.routes.back();
  EXPECT_EQ(rest.limits.idle_timeout, std::chrono::seconds(60));
  EXPECT_EQ(rest.limits.max_sessions, 8u);
  EXPECT_EQ(rest.limits.max_sessions_per_principal, 20u);
  EXPECT_THAT(rest.parameters,
              ElementsAre(testing::Pair("timezone", "UTC"), testing::Pair("statement_timeout", "2500ms"),
                          testing::Pair("idle_in_transaction_session_timeout", "30000ms")));
  EXPECT_EQ(settings.upstreams[0].endpoints[1].text(), "[2001:db8::1]:5432");
  EXPECT_EQ(settings.keepalive.idle, std::chrono::seconds(40));
  EXPECT_EQ(settings.keepalive.probes, 4);
  EXPECT_EQ(settings.keepalive.user_timeout, std::chrono::milliseconds(12'500));
  EXPECT_EQ(settings.listeners[1].address.text(), "[::1]:6432");
}

TEST(Convert, TlsOfBothLegs) {
  const auto all =
      convert_text(small +
                   "client_tls_sslmode=verify-full\nclient_tls_ca_file=ca.crt\nclient_tls_cert_file=/c.crt\n"
                   "client_tls_key_file=/c.key\nclient_tls_protocols=tlsv1.3\nserver_tls_sslmode=verify-ca\n"
                   "server_tls_ca_file=/s.crt\nserver_tls_ciphers=HIGH\n");
  const auto& tls = all.loaded.value->listeners[0].tls;
  EXPECT_EQ(tls.mode, config::listener_tls_mode::require);
  EXPECT_EQ(tls.client_certificates, config::client_certificate::require);
  EXPECT_EQ(tls.client_ca_file, "/w/ca.crt");
  EXPECT_EQ(tls.min_version, config::tls_version::tls1_3);
  EXPECT_EQ(all.loaded.value->listeners[1].tls.mode, config::listener_tls_mode::disable);
  EXPECT_EQ(all.loaded.value->upstreams[0].tls.mode, config::upstream_tls_mode::verify_ca);
  EXPECT_EQ(all.loaded.value->upstreams[0].tls.ca_file, "/s.crt");
  EXPECT_THAT(lost(all), Contains(HasSubstr("server_tls_ciphers: no equal")));
}

TEST(Convert, TheConsoleHasUsersAndReaders) {
  const auto all = convert_text(small + "admin_users = ops, old\nstats_users = app\n");
  const auto& console = all.loaded.value->admin.console;
  EXPECT_THAT(console.users, ElementsAre("ops", "old"));
  EXPECT_THAT(console.readers, ElementsAre("app"));
  EXPECT_EQ(console.verifier_file, "/w/users.txt");
  EXPECT_THAT(lost(all), Contains(HasSubstr("admin_users: no equal: `old` has no password")));
}

TEST(Convert, BoundsOverPoolsAreTheUpstreams) {
  const auto all = convert_text(
      "[databases]\napp = host=h max_db_connections=3\nother = host=h\n[pgbouncer]\nauth_file=users.txt\n"
      "max_db_connections = 9\nmax_user_connections = 5\n");
  const auto& upstreams = all.loaded.value->upstreams;
  ASSERT_EQ(upstreams.size(), 2U);
  EXPECT_EQ(upstreams[0].pool.max_connections, 3U);
  EXPECT_EQ(upstreams[0].pool.per_user, 5U);
  EXPECT_EQ(upstreams[1].pool.max_connections, 9U);
  const auto without = convert_text(small);
  EXPECT_EQ(without.loaded.value->upstreams[0].pool.max_connections, 0U);
}

TEST(Convert, NothingIsDroppedSilently) {
  std::string ini =
      "[databases]\napp = host=h connect_query='select 1' reserve_pool=2 max_db_connections=3\n"
      "[users]\napp = max_user_connections=2\n[pgbouncer]\nauth_file=users.txt\n";
  std::vector<std::string> keys;
  for (const setting& each : settings_of("pgbouncer")) {
    if (each.becomes != fate::no_equal) continue;
    const bool number = each.form == value_form::number;
    ini += std::string(each.name) + " = " + (number ? "17" : "something") + "\n";
    keys.emplace_back(each.name);
  }
  const auto all = convert_text(ini);
  const auto told = lost(all);
  for (const auto& each : keys)
    EXPECT_THAT(told, Contains(HasSubstr(": " + each + ": no equal: "))) << each;
  for (const char* each : {"app: connect_query", "app: reserve_pool", "app: max_user_connections"})
    EXPECT_THAT(told, Contains(HasSubstr(std::string(": ") + each + ": no equal: "))) << each;
  EXPECT_THAT(all.made->yaml, HasSubstr("# i:2: app: connect_query: no equal: "));
}

const std::string peers =
    "[peers]\n1 = host=one\n2 = host=10.0.0.2 port=7000\n3 = host=::1 pool_size=9\n4 = host=/run/b\n"
    "5 = host=10.0.0.2 port=7000\n";

/// With users of whom there is nothing to tell.
converted convert_peers_of(const std::string& ini) {
  return convert_text(ini, {{"/w/users.txt", "\"app\" \"plain secret\"\n"}});
}

TEST(Convert, PeersAreReplicas) {
  const auto all = convert_peers_of(small + "peer_id = 1\n" + peers);
  const config::replicas& made = all.loaded.value->replicas;
  EXPECT_EQ(made.number, 1);
  std::vector<std::string> others;
  for (const auto& each : made.endpoints)
    others.push_back(each.text());
  EXPECT_THAT(others, ElementsAre("10.0.0.2:7000", "[::1]:6432", "unix:/run/b/.s.PGSQL.6432"))
      << "each once, and not the gateway itself";
  EXPECT_EQ(made.tls.mode, config::upstream_tls_mode::prefer);
  EXPECT_TRUE(made.key_file.empty());
  EXPECT_THAT(lost(all), IsEmpty());
  ASSERT_EQ(all.made->notes.size(), 1U);
  EXPECT_THAT(all.made->notes[0].render(), HasSubstr("i:9: [peers]: elsewhere: "));
  EXPECT_THAT(all.made->notes[0].text, HasSubstr("--replica-key FILE"));
}

TEST(Convert, PeersShowWhatServersAreShown) {
  const std::string mutual =
      "client_tls_sslmode = verify-full\nclient_tls_ca_file = ca\nclient_tls_cert_file = c\n"
      "client_tls_key_file = k\npeer_id = 2\n";
  EXPECT_THAT(lost(convert_peers_of(small + mutual + peers)),
              Contains(HasSubstr("client_tls_sslmode: no equal: peers must show a certificate")));
  const auto all =
      convert_peers_of(small + mutual + "server_tls_cert_file = sc\nserver_tls_key_file = sk\n" + peers);
  EXPECT_EQ(all.loaded.value->replicas.tls.cert_file, "/w/sc");
  EXPECT_EQ(all.loaded.value->replicas.tls.key_file, "/w/sk");
  EXPECT_THAT(lost(all), IsEmpty());
}

TEST(Convert, WithoutANumberThereIsNoPeering) {
  const auto off = convert_peers_of(small + peers);
  EXPECT_FALSE(off.loaded.value->replicas.has_peers());
  EXPECT_THAT(lost(off), IsEmpty());
  EXPECT_THAT(off.made->yaml, HasSubstr("# i:8: [peers] 1: not needed: peer_id is 0"));
  const auto alone = convert_peers_of(small + "peer_id = 7\n");
  EXPECT_EQ(alone.loaded.value->replicas.number, 7);
  EXPECT_THAT(alone.made->notes, IsEmpty());
}

TEST(Convert, OfPeersOnlySoManyAndOfNumbersNoLargerOnes) {
  std::string many = small + "peer_id = 2000\n[peers]\n";
  for (std::size_t i = 1; i <= limits::replica_peers + 1; ++i)
    many += std::to_string(i) + " = host=p" + std::to_string(i) + "\n";
  const auto all = convert_peers_of(many);
  EXPECT_EQ(all.loaded.value->replicas.number, 0) << "auto";
  EXPECT_EQ(all.loaded.value->replicas.endpoints.size(), limits::replica_peers);
  EXPECT_THAT(lost(all), ElementsAre(HasSubstr(": [peers] 65: no equal: there may be 64 others"),
                                     HasSubstr(": peer_id: no equal: numbers end at 1023")));
  EXPECT_THAT(problems(small + "peer_id = -1\n"), ElementsAre(HasSubstr("peer_id: cannot be that")));
  EXPECT_THAT(problems(small + "peer_id = 1\n[peers]\n2 = host=p port=0\n"),
              ElementsAre(HasSubstr("2: is no port")));
}

TEST(Convert, EverySettingHasAWordAndADefaultOfItsForm) {
  for (const auto section : section_names()) {
    for (const setting& each : settings_of(section)) {
      EXPECT_FALSE(each.word.empty()) << each.name;
      if (each.standard.empty() || each.form == value_form::text) continue;
      given_values values(section);
      EXPECT_FALSE(values.set(std::string(each.name), {secret_text(std::string(each.standard)), {}}))
          << each.name;
      EXPECT_FALSE(values.differs(each.name)) << each.name;
    }
  }
}

TEST(Convert, DefaultsAreNoLoss) {
  std::string ini = small;
  for (const setting& each : settings_of("pgbouncer")) {
    const bool given = small.find("\n" + std::string(each.name) + " ") != std::string::npos;
    if (!given && !each.standard.empty())
      ini += std::string(each.name) + " = " + std::string(each.standard) + "\n";
  }
  const auto all = convert_text(ini);
  for (const auto& each : lost(all))
    EXPECT_THAT(each, testing::AnyOf(HasSubstr("auth_file"), HasSubstr("pool_mode"))) << each;
}

TEST(Convert, SaysWhatCannotBe) {
  EXPECT_THAT(problems("[pgbouncer]\nauth_file=users.txt\n"),
              ElementsAre("i: [databases]: names no database (expected name = connection string)"));
  EXPECT_THAT(problems("[databases]\na = host=h\n[pgbouncer]\n"),
              ElementsAre(HasSubstr("neither auth_file nor auth_user is set: nobody could log in")));
  EXPECT_THAT(problems("[databases]\na = host=h\n[pgbouncer]\nauth_file=none.txt\n"),
              Contains(HasSubstr("i:4:1: auth_file: /w/none.txt: No such file or directory")));
  EXPECT_THAT(problems("[databases]\na = host=h port=70000\nb = host=h!\n[pgbouncer]\nauth_file=users.txt\n"),
              ElementsAre(HasSubstr("a: is no port"), HasSubstr("b: `h!` is no host")));
  EXPECT_THAT(problems(small + "listen_port = 0\n"), Contains(HasSubstr("listen_port: is no port")));
  EXPECT_THAT(problems(small + "listen_addr = db.example.org\n"),
              Contains(HasSubstr("`db.example.org` is no address (expected an IP address, localhost or *)")));
  EXPECT_THAT(problems(small + "unix_socket_dir =\nlisten_addr =\n"),
              Contains(HasSubstr("nothing is listened to")));
  EXPECT_THAT(problems(small + "client_tls_sslmode = require\n"),
              Contains(HasSubstr("client_tls_key_file: is needed with client_tls_sslmode = require")));
  EXPECT_THAT(problems(small + "auth_type = kerberos\n"), Contains(HasSubstr("auth_type: cannot be that")));
}

TEST(Convert, WhatTheProcessIsTold) {
  const auto all = convert_text(small + "logfile = pgb.log\npidfile=/run/p.pid\nuser=postgres\nverbose=2\n");
  EXPECT_EQ(all.made->process.logfile, "/w/pgb.log");
  EXPECT_EQ(all.made->process.pidfile, "/run/p.pid");
  EXPECT_EQ(all.made->process.user, "postgres");
  EXPECT_EQ(all.made->process.verbose, 2);
}

TEST(Convert, StrangeNamesStayNames) {
  const auto all = convert_text(
      "[databases]\n\"a\"\"b: ${X}*#\" = host=h dbname='x: ''y'''\n\"a'b\" = host=h\n"
      "[pgbouncer]\nauth_file = users.txt\n");
  const auto& settings = *all.loaded.value;
  EXPECT_THAT(settings.routes.back().match.databases, ElementsAre("a'b"));
  EXPECT_THAT(settings.routes[1].match.databases, ElementsAre("a\"b: ${X}?#"));
  EXPECT_EQ(settings.routes[1].database, "x: 'y'");
}

}  // namespace
}  // namespace trunkline::pgbouncer
