// The tables from a made-up gateway.
#include "console/tables.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "base/limits.h"
#include "console/command.h"
#include "console/desk.h"
#include "console/peer_address.h"

namespace trunkline::console {
namespace {

using namespace std::chrono_literals;
using session::console_row;
using telemetry::phase;
using testing::HasSubstr;

class made_up final : public session::observer {
 public:
  session::sessions_view sessions() override { return now; }
  session::exchanges_view exchanges() override { return seen; }
  std::vector<const telemetry::route_metrics*> routes() override { return {&one, &other}; }
  std::vector<const telemetry::worker_metrics*> workers() override { return {&worker}; }
  config::snapshot settings() override { return config; }
  std::vector<session::upstream_view> upstreams() override { return known; }
  std::vector<session::pool_view> pools() override { return shared; }
  std::vector<session::prepared_view> prepared() override { return statements; }
  session::audit_view audit() override { return {}; }
  std::vector<session::certificate_view> certificates() override {
    return {{.listener = "main", .subject = "CN=localhost", .expires = started() + 240h}};
  }
  std::chrono::system_clock::time_point started() const override { return std::chrono::system_clock::now(); }
  bool draining() const override { return false; }
  bool ready() const override { return true; }
  std::uint64_t config_reload_failures() const override { return 3; }
  std::uint64_t not_postgres() const override { return 4; }
  std::vector<std::pair<std::string, std::uint64_t>> cancels() override { return {{"forwarded", 5}}; }

  made_up() {
    auto made = std::make_shared<config::settings>();
    auto& listener = made->listeners.emplace_back();
    listener.name = "main";
    listener.address.host = "0.0.0.0";
    listener.address.port = 6432;
    auto& upstream = made->upstreams.emplace_back();
    upstream.name = "db";
    upstream.endpoints.emplace_back().host = "10.0.0.1";
    upstream.endpoints.back().port = 5432;
    auto& route = made->routes.emplace_back();
    route.name = "app";
    route.match.databases = {"app", "app_*"};
    route.upstream = "db";
    config = setup = made;
    auto& known_of = known.emplace_back();
    known_of.name = "db";
    session::endpoint_view server;
    server.name = "10.0.0.1:5432";
    server.addresses = "10.0.0.1:5432";
    server.state = server.role = "unknown";
    known_of.endpoints.push_back(server);
    one.route = other.route = "app";
    session::session_view idle;
    idle.id = 42;
    idle.listener = "main";
    idle.route = "app";
    idle.upstream = "db";
    idle.client = "[2001:db8::7]:51234";
    idle.user = "anna";
    idle.database = "app";
    idle.endpoint = "10.0.0.1:5432";
    idle.server_pid = 4711;
    idle.state = "idle in transaction";
    idle.transaction_status = 'T';
    now.sessions.push_back(idle);
    session::session_view arriving;
    arriving.id = 43;
    arriving.listener = "main";
    arriving.client = "10.0.0.9:1";
    arriving.user = "anna";
    arriving.database = "app";
    arriving.state = "login";
    arriving.seconds = 2.5;
    now.sessions.push_back(arriving);
  }

  config::snapshot config;
  std::shared_ptr<config::settings> setup;
  session::sessions_view now;
  std::vector<session::pool_view> shared;
  std::vector<session::prepared_view> statements;
  std::vector<session::upstream_view> known;
  session::exchanges_view seen;
  telemetry::route_metrics one;
  telemetry::route_metrics other;
  telemetry::worker_metrics worker;
};

class TablesTest : public ::testing::Test {
 protected:
  session::console_rows show(std::string_view name) {
    const std::size_t index = find_table(name);
    EXPECT_LT(index, tables().size()) << name;
    sight looked{.from = gateway,
                 .statements = statements,
                 .stats = stats,
                 .version = "1.2.3",
                 .now = std::chrono::system_clock::now(),
                 .clock = clock};
    return tables()[index].rows(looked);
  }
  /// The rows as name -> value, NULL as "NULL".
  std::vector<std::map<std::string, std::string>> named(std::string_view name) {
    std::vector<std::map<std::string, std::string>> all;
    const auto& columns = tables()[find_table(name)].columns;
    for (const console_row& row : show(name).rows) {
      EXPECT_EQ(row.size(), columns.size()) << name;
      auto& made = all.emplace_back();
      for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i)
        made[std::string(columns[i].name)] = row[i].value_or("NULL");
    }
    return all;
  }

  made_up gateway;
  audit::statement_cache statements{1 << 20, false};
  std::chrono::steady_clock::time_point clock{1h};
  stats_window stats{clock - 10s};
};

TEST_F(TablesTest, EveryRowHasAValueForEachColumnAndNoNameStandsTwice) {
  gateway.seen.slowest.emplace_back();
  gateway.seen.failed.emplace_back();
  gateway.one.closes[0].add();
  for (const table& each : tables()) {
    std::set<std::string_view> names;
    for (const auto& column : each.columns)
      EXPECT_TRUE(names.insert(column.name).second) << each.name << " " << column.name;
    for (const console_row& row : show(each.name).rows)
      EXPECT_EQ(row.size(), each.columns.size()) << each.name;
    EXPECT_FALSE(each.meaning.empty());
  }
}

TEST_F(TablesTest, ALegOfASession) {
  const auto clients = named("CLIENTS");
  ASSERT_EQ(clients.size(), 2u);
  auto first = clients[0];
  EXPECT_EQ(first["state"], "active");
  EXPECT_EQ(first["addr"], "2001:db8::7");
  EXPECT_EQ(first["port"], "51234");
  EXPECT_EQ(first["local_port"], "6432");
  EXPECT_EQ(first["session"], "42");
  EXPECT_EQ(first["session_state"], "idle in transaction");
  auto second = clients[1];
  EXPECT_EQ(second["state"], "waiting");
  EXPECT_EQ(second["wait"], "2");
  EXPECT_EQ(second["wait_us"], "500000");
  EXPECT_EQ(second["link"], "");
  auto servers = named("SERVERS");
  ASSERT_EQ(servers.size(), 1u);
  EXPECT_EQ(servers[0]["remote_pid"], "4711");
  EXPECT_EQ(servers[0]["ptr"], first["link"]);
  EXPECT_EQ(servers[0]["link"], first["ptr"]);
}

TEST_F(TablesTest, APoolIsTheSessionsOfADatabaseAndUser) {
  auto pools = named("POOLS");
  ASSERT_EQ(pools.size(), 1u);
  EXPECT_EQ(pools[0]["cl_active"], "1");
  EXPECT_EQ(pools[0]["cl_waiting"], "1");
  EXPECT_EQ(pools[0]["sv_active"], "1");
  EXPECT_EQ(pools[0]["in_transaction"], "1");
  EXPECT_EQ(pools[0]["maxwait"], "2");
}

/// Session 42 is pooled and has connection 17; 18 is idle, and 44 waits.
class PooledTablesTest : public TablesTest {
 protected:
  PooledTablesTest() {
    setup().routes[0].pooling = config::pooling_mode::transaction;
    setup().upstreams[0].pool = {.size = 7, .min_idle = 2, .max_connections = 50};
    auto& has = gateway.now.sessions[0];
    has.pooled.emplace();
    has.pooled->mode = "transaction";
    has.pooled->database = "app";
    has.pooled->user = "pool_user";
    has.pooled->pinned = "temporary";
    has.pooled->pinned_seconds = 90;
    has.pooled->server = connection(17);
    gateway.now.sessions[1].route = "app";
    gateway.now.spare.push_back(connection(18));
    session::session_view waiting = has;
    waiting.id = 44;
    waiting.state = "active";
    waiting.transaction_status = 'I';
    waiting.exchange_seconds = 1.5;
    waiting.endpoint.clear();
    waiting.pooled->server.reset();
    waiting.pooled->pinned.clear();
    waiting.pooled->waits = true;
    waiting.pooled->wait_seconds = 1.25;
    gateway.now.sessions.push_back(waiting);
    auto& pool = gateway.shared.emplace_back();
    pool.upstream = "db";
    pool.route = "app";
    pool.database = "app";
    pool.user = "pool_user";
    pool.pool_mode = "transaction";
    pool.cl_active = pool.cl_waiting = pool.sv_active = pool.sv_idle = 1;
    pool.size = 7;
    pool.maxwait_us = 1'250'000;
  }
  config::settings& setup() { return *gateway.setup; }
  static session::server_view connection(std::uint64_t number) {
    session::server_view made;
    made.number = number;
    made.upstream = "db";
    made.database = "app";
    made.user = "pool_user";
    made.endpoint = "10.0.0.1:5432";
    made.pid = 4711;
    made.state = "idle";
    made.idle_seconds = 5;
    return made;
  }
};

TEST_F(PooledTablesTest, AServerConnectionIsShownWithItsClientOrWithout) {
  auto servers = named("SERVERS");
  ASSERT_EQ(servers.size(), 2u) << "who waits has none";
  EXPECT_EQ(servers[0]["ptr"], "p17");
  EXPECT_EQ(servers[0]["link"], "c42");
  EXPECT_EQ(servers[0]["state"], "active");
  EXPECT_EQ(servers[0]["user"], "pool_user") << "as it is at the server";
  EXPECT_EQ(servers[1]["ptr"], "p18");
  EXPECT_EQ(servers[1]["link"], "");
  EXPECT_EQ(servers[1]["state"], "idle");
  EXPECT_EQ(servers[1]["addr"], "10.0.0.1");
  EXPECT_EQ(servers[1]["session"], "NULL");
  auto clients = named("CLIENTS");
  EXPECT_EQ(clients[0]["link"], "p17");
  EXPECT_EQ(clients[0]["state"], "active");
  EXPECT_EQ(clients[2]["link"], "");
  EXPECT_EQ(clients[2]["state"], "waiting");
  EXPECT_EQ(clients[2]["wait"], "1");
  EXPECT_EQ(clients[2]["wait_us"], "250000");
  EXPECT_EQ(named("SOCKETS").size(), 5u);
  EXPECT_EQ(named("SOCKETS").back()["state"], "sv_idle");
}

TEST_F(PooledTablesTest, APoolCountsItsClientsOnce) {
  auto pools = named("POOLS");
  ASSERT_EQ(pools.size(), 2u) << "the login waits in its pool, if anywhere";
  auto& shared = pools[1];
  EXPECT_EQ(shared["user"], "pool_user");
  EXPECT_EQ(shared["cl_active"], "1");
  EXPECT_EQ(shared["cl_waiting"], "1");
  EXPECT_EQ(shared["sv_active"], "1");
  EXPECT_EQ(shared["sv_idle"], "1");
  EXPECT_EQ(shared["maxwait"], "1");
  EXPECT_EQ(shared["maxwait_us"], "250000");
  EXPECT_EQ(shared["pool_mode"], "transaction");
  EXPECT_EQ(shared["pool_size"], "7");
  EXPECT_EQ(shared["in_transaction"], "1");
  EXPECT_EQ(pools[0]["cl_waiting"], "0");
  // Exporters want each database and user once.
  gateway.shared.push_back(gateway.shared[0]);
  EXPECT_EQ(named("POOLS").size(), 2u);
  EXPECT_EQ(named("POOLS")[1]["sv_idle"], "2");
  EXPECT_EQ(named("POOLS")[1]["pools"], "2");
}

TEST_F(PooledTablesTest, ADatabaseHasThePoolOfItsUpstream) {
  auto row = named("DATABASES").at(0);
  EXPECT_EQ(row["pool_size"], "7");
  EXPECT_EQ(row["min_pool_size"], "2");
  EXPECT_EQ(row["pool_mode"], "transaction");
  EXPECT_EQ(row["max_connections"], "50");
  EXPECT_EQ(row["current_connections"], "2");
  std::map<std::string, std::string> lists;
  for (auto& each : named("LISTS"))
    lists[each["list"]] = each["items"];
  EXPECT_EQ(lists["free_servers"], "1");
  EXPECT_EQ(lists["used_servers"], "1");
  EXPECT_EQ(lists["waiting_clients"], "1");
  EXPECT_EQ(lists["pinned_sessions"], "1");
  for (auto& each : named("USERS"))
    EXPECT_EQ(each["current_connections"], each["name"] == "pool_user" ? "2" : "0") << each["name"];
}

TEST_F(PooledTablesTest, APinnedSessionSaysWhy) {
  auto rows = named("PINNED");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["session"], "42");
  EXPECT_EQ(rows[0]["reason"], "temporary");
  EXPECT_EQ(rows[0]["server"], "p17");
  EXPECT_EQ(rows[0]["client"], "[2001:db8::7]:51234");
  EXPECT_EQ(rows[0]["seconds"], "90.000000");
  auto sessions = named("SESSIONS");
  EXPECT_EQ(sessions[0]["pooling"], "transaction");
  EXPECT_EQ(sessions[0]["server"], "p17");
  EXPECT_EQ(sessions[0]["pinned"], "temporary");
  EXPECT_EQ(sessions[1]["pooling"], "off");
  EXPECT_EQ(sessions[2]["server"], "NULL");
  EXPECT_EQ(sessions[2]["wait_seconds"], "1.250000");
}

TEST_F(PooledTablesTest, APreparedStatementKeepsItsSecrets) {
  gateway.statements.push_back(
      {.name = "trunkline_00_1", .text = "select $1, 'geheim'", .uses = 9, .users = 3});
  auto rows = named("PREPARED");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["name"], "trunkline_00_1");
  EXPECT_EQ(rows[0]["uses"], "9");
  EXPECT_EQ(rows[0]["clients"], "3");
  EXPECT_THAT(rows[0]["statement"], HasSubstr("select"));
  EXPECT_THAT(rows[0]["statement"], testing::Not(HasSubstr("geheim")));
  EXPECT_EQ(show("PREPARED").notice, "");
  gateway.statements.resize(limits::prepared_shown);
  EXPECT_NE(show("PREPARED").notice, "");
}

TEST_F(TablesTest, ABusyWorkerIsToldOf) {
  EXPECT_EQ(show("SESSIONS").notice, "");
  gateway.now.complete = false;
  EXPECT_THAT(show("SESSIONS").notice, HasSubstr("missing"));
}

TEST_F(TablesTest, StatsAreSummedOverTheWorkersAndAveragedOverTheWindow) {
  for (auto* each : {&gateway.one, &gateway.other}) {
    each->exchanges[0].add(50);
    each->exchange_seconds[static_cast<std::size_t>(phase::server)].record(2s);
    each->exchange_seconds[static_cast<std::size_t>(phase::client_stall)].record(9s);
    each->idle_in_transaction.record(1s);
    each->bytes_received[0].add(1'000);
    each->bytes_received[1].add(5'000);
    each->sessions_begun.add(2);
    each->assignments.add(5);
  }
  auto stats_now = named("STATS");
  ASSERT_EQ(stats_now.size(), 1u);
  auto& row = stats_now[0];
  EXPECT_EQ(row["database"], "app");
  EXPECT_EQ(row["total_query_count"], "100");
  EXPECT_EQ(row["total_xact_count"], "98") << "each gap inside a transaction joins two exchanges";
  EXPECT_EQ(row["total_query_time"], "4000000") << "a client's stall is in the transfer already";
  EXPECT_EQ(row["total_xact_time"], "6000000");
  EXPECT_EQ(row["total_received"], "2000");
  EXPECT_EQ(row["total_sent"], "10000");
  EXPECT_EQ(row["total_server_assignment_count"], "10");
  EXPECT_EQ(row["total_client_connect_count"], "4");
  EXPECT_EQ(row["total_bind_count"], "NULL");
  EXPECT_EQ(row["avg_query_count"], "10");
  EXPECT_EQ(row["avg_query_time"], "40000");
  EXPECT_EQ(row["total_requests"], "100");
  clock += 60s;
  show("STATS");
  gateway.one.exchanges[0].add(600);
  clock += 60s;
  EXPECT_EQ(named("STATS")[0]["avg_query_count"], "10");
  EXPECT_EQ(named("STATS")[0]["total_query_count"], "700");
}

TEST_F(TablesTest, TotalsAreTheSumOfTheRoutes) {
  gateway.one.exchanges[0].add(1);
  gateway.other.exchanges[1].add(2);
  std::map<std::string, std::string> lines;
  for (auto& row : named("TOTALS"))
    lines[row["name"]] = row["value"];
  EXPECT_EQ(lines["total_query_count"], "3");
  EXPECT_EQ(lines["total_failed_count"], "2");
  EXPECT_EQ(lines["not_postgres"], "4");
  EXPECT_EQ(lines["cancels_forwarded"], "5");
}

TEST_F(TablesTest, ASlowExchangeSaysWhereItsTimeWentAndKeepsItsSecrets) {
  telemetry::flight_record slow;
  slow.facts.total = 2s;
  slow.facts.at(phase::server) = 200ms;
  slow.facts.at(phase::transfer) = 1800ms;
  slow.facts.at(phase::client_stall) = 1700ms;
  slow.statement = "alter role anna password 'geheim'";
  slow.session = 42;
  gateway.seen.slowest.push_back(slow);
  auto rows = named("SLOW");
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["dominant"], "client_stall, 85 %: the client took nothing");
  EXPECT_EQ(rows[0]["seconds"], "2.000000");
  EXPECT_EQ(rows[0]["client_stall"], "1.700000");
  EXPECT_EQ(rows[0]["sqlstate"], "NULL");
  EXPECT_THAT(rows[0]["statement"], testing::Not(HasSubstr("geheim")));
}

TEST_F(TablesTest, AnUpstreamIsWhatIsKnownOfIt) {
  auto before = named("UPSTREAMS");
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0]["endpoints"], "10.0.0.1:5432");
  EXPECT_EQ(before[0]["primary"], "NULL");
  EXPECT_EQ(before[0]["paused"], "no");
  EXPECT_EQ(before[0]["held"], "0");
  EXPECT_EQ(before[0]["last_gap"], "0.000000");
  EXPECT_EQ(before[0]["problem"], "NULL");
  EXPECT_EQ(before[0]["discovery_age"], "NULL");
  session::upstream_view& db = gateway.known[0];
  db.primary = "10.0.0.2:5432";
  db.paused = true;
  db.held = 12;
  db.failovers = 3;
  db.last_gap_seconds = 1.25;
  db.discovery_problem = "db: the resolver is silent";
  db.discovery_age_seconds = 2.5;
  db.endpoints.push_back(db.endpoints[0]);
  db.endpoints[1].name = "10.0.0.2:5432";
  auto row = named("UPSTREAMS").at(0);
  EXPECT_EQ(row["endpoints"], "10.0.0.1:5432,10.0.0.2:5432");
  EXPECT_EQ(row["routes"], "app");
  EXPECT_EQ(row["sessions"], "1");
  EXPECT_EQ(row["primary"], "10.0.0.2:5432");
  EXPECT_EQ(row["paused"], "yes");
  EXPECT_EQ(row["held"], "12");
  EXPECT_EQ(row["failovers"], "3");
  EXPECT_EQ(row["last_gap"], "1.250000");
  EXPECT_EQ(row["problem"], "db: the resolver is silent");
  EXPECT_EQ(row["discovery_age"], "2.500000");
}

TEST_F(TablesTest, AnUpstreamThatNobodyWatchesYetHasARow) {
  gateway.known.clear();
  auto row = named("UPSTREAMS").at(0);
  EXPECT_EQ(row["name"], "db");
  EXPECT_EQ(row["endpoints"], "");
  EXPECT_EQ(row["primary"], "NULL");
  EXPECT_TRUE(named("ENDPOINTS").empty());
}

TEST_F(TablesTest, AnEndpointOfWhichNothingIsKnownSaysSo) {
  auto rows = named("ENDPOINTS");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["upstream"], "db");
  EXPECT_EQ(rows[0]["endpoint"], "10.0.0.1:5432");
  EXPECT_EQ(rows[0]["state"], "unknown");
  EXPECT_EQ(rows[0]["sessions"], "0");
  for (const char* column :
       {"zone", "said", "lag", "lag_bytes", "timeline", "version", "system_identifier", "asked"})
    EXPECT_EQ(rows[0][column], "NULL") << column;
}

TEST_F(TablesTest, AnEndpointIsWhatIsKnownOfIt) {
  session::endpoint_view& one = gateway.known[0].endpoints[0];
  one.addresses = "10.0.0.1:5432, [2001:db8::1]:5432";
  one.zone = "a";
  one.state = "up";
  one.role = "replica";
  one.said = "how far it has replayed cannot be read";
  one.system_identifier = 18'446'744'073'709'551'615U;
  one.timeline = 7;
  one.version = 160'004;
  one.lag_seconds = 0.5;
  one.lag_bytes = 0;
  one.since_seconds = 90;
  one.asked_seconds = 1.5;
  one.ejected_seconds = 0.25;
  one.sessions = 4;
  one.logins_waiting = 5;
  one.logins_under_way = 6;
  auto row = named("ENDPOINTS").at(0);
  EXPECT_EQ(row["addresses"], one.addresses);
  EXPECT_EQ(row["zone"], "a");
  EXPECT_EQ(row["state"], "up");
  EXPECT_EQ(row["role"], "replica");
  EXPECT_EQ(row["for"], "90.000000");
  EXPECT_EQ(row["said"], one.said);
  EXPECT_EQ(row["lag"], "0.500000");
  EXPECT_EQ(row["lag_bytes"], "0") << "none is not unknown";
  EXPECT_EQ(row["timeline"], "7");
  EXPECT_EQ(row["version"], "160004");
  EXPECT_EQ(row["system_identifier"], "18446744073709551615");
  EXPECT_EQ(row["asked"], "1.500000");
  EXPECT_EQ(row["sessions"], "4");
  EXPECT_EQ(row["logins"], "6");
  EXPECT_EQ(row["waiting"], "5");
  EXPECT_EQ(row["ejected"], "0.250000");
}

TEST_F(TablesTest, ADatabaseWhoseServersAreFoundHasTheNameThatIsLookedUp) {
  EXPECT_EQ(named("DATABASES").at(0)["host"], "10.0.0.1");
  auto changed = std::make_shared<config::settings>(*gateway.config);
  changed->upstreams[0].endpoints.clear();
  changed->upstreams[0].found = {
      .kind = config::discovery_kind::dns, .name = "db.example.org", .port = 5433, .resolver = {}};
  gateway.config = changed;
  EXPECT_EQ(named("DATABASES").at(0)["database"], "app,app_*");
  changed->routes[0].database = "app_main";
  auto row = named("DATABASES").at(0);
  EXPECT_EQ(row["host"], "db.example.org");
  EXPECT_EQ(row["port"], "5433");
  EXPECT_EQ(row["database"], "app_main");
}

TEST_F(TablesTest, APauseIsSeenInEveryTable) {
  std::map<std::string, std::string> state;
  for (const bool paused : {false, true}) {
    gateway.known[0].paused = paused;
    for (auto& row : named("STATE"))
      state[row["key"]] = row["value"];
    EXPECT_EQ(state["paused"], paused ? "yes" : "no");
    EXPECT_EQ(named("DATABASES").at(0)["paused"], paused ? "1" : "0");
    EXPECT_EQ(named("UPSTREAMS").at(0)["paused"], paused ? "yes" : "no");
  }
}

TEST_F(TablesTest, TheConfigurationKeyByKey) {
  std::map<std::string, std::map<std::string, std::string>> lines;
  for (auto& row : named("CONFIG"))
    lines[row["key"]] = row;
  EXPECT_EQ(lines["listeners[0].address"]["value"], "0.0.0.0:6432");
  EXPECT_EQ(lines["routes[0].match.database"]["value"], "app, app_*");
  EXPECT_EQ(lines["routes[0].target"]["default"], "primary");
  EXPECT_EQ(lines["workers"]["changeable"], "no");
}

TEST(PeerAddress, IsTakenApart) {
  EXPECT_EQ(peer_address_of("10.0.0.1:5").host, "10.0.0.1");
  EXPECT_EQ(peer_address_of("[::1]:5432").host, "::1");
  EXPECT_EQ(peer_address_of("[::1]:5432").port, 5432);
  EXPECT_EQ(peer_address_of("unix:/run/a:5").host, "unix");
  EXPECT_EQ(peer_address_of("unix").host, "unix");
  EXPECT_EQ(peer_address_of("").host, "");
}

/// Writes down what it is told.
class made_up_hand final : public session::commander {
 public:
  result<std::string> pause(const std::string& upstream) override { return said("pause " + upstream); }
  result<std::string> resume(const std::string& upstream) override { return said("resume " + upstream); }
  result<std::string> reconnect(const std::string& upstream) override {
    return said("reconnect " + upstream);
  }
  result<std::string> switch_over(const std::string& upstream, const std::string& endpoint,
                                  std::chrono::milliseconds within) override {
    return said(fmt::format("switch {} to {} within {}", upstream, endpoint, within.count()));
  }

  result<> disable(const std::string& database) override { return done("disable " + database); }
  result<> enable(const std::string& database) override { return done("enable " + database); }
  result<std::string> kill(const std::string& database) override { return said("kill " + database); }
  result<std::string> wait_close(const std::string& database) override { return said("wait " + database); }
  result<> kill_client(std::uint64_t id) override { return done(fmt::format("kill client {}", id)); }
  result<> reload() override { return done("reload"); }
  result<> set(const std::string& key, const std::string& value) override {
    return done("set " + key + " to " + value);
  }
  result<> shut_down(shutdown how) override {
    return done(fmt::format("shut down {}", static_cast<int>(how)));
  }

  std::vector<std::string> heard;
  bool refuses = false;

 private:
  result<std::string> said(std::string what) {
    heard.push_back(what);
    if (refuses) return fail({.code = sqlstate("55000"), .message = "no"});
    return what;
  }
  result<> done(std::string what) {
    auto answer = said(std::move(what));
    if (!answer) return fail(answer.error());
    return {};
  }
};

TEST(Desk, HandsPgbouncersCommandsOn) {
  made_up gateway;
  made_up_hand hand;
  desk at(gateway, hand, "1.2.3");
  const auto all = at.read(
      "disable app; ENABLE \"App\"; kill; kill app; kill_client 42; wait_close; wait_close app; reload; "
      "shutdown; "
      "shutdown wait_for_servers; SHUTDOWN WAIT_FOR_CLIENTS; set Server_Lifetime = '5'; set pool_mode to "
      "session; "
      "set admin_users = a, b");
  for (const auto& each : all) {
    ASSERT_TRUE(each) << each.error().message;
    EXPECT_TRUE(at.rows(*each));
  }
  EXPECT_THAT(hand.heard, testing::ElementsAre("disable app", "enable App", "kill ", "kill app",
                                               "kill client 42", "wait ", "wait app", "reload", "shut down 0",
                                               "shut down 1", "shut down 2", "set server_lifetime to 5",
                                               "set pool_mode to session", "set admin_users to a, b"));
  EXPECT_EQ(at.rows(*at.read("kill_client 0x7f12").front()).error().message,
            "invalid client pointer supplied");
  for (const char* wrong :
       {"disable", "enable a b", "kill a b", "kill_client", "reload now", "shutdown slowly", "set",
        "set pool_mode", "set pool_mode session", "wait_close a b"})
    EXPECT_EQ(at.read(wrong).front().error().code.view(), "42601") << wrong;
  hand.refuses = true;
  for (const auto& each : all)
    EXPECT_EQ(at.rows(*each).error().code.view(), "55000");
}

TEST(Desk, HandsCommandsOnAsTheyAreMeant) {
  made_up gateway;
  made_up_hand hand;
  desk at(gateway, hand, "1.2.3");
  const auto all = at.read(
      "pause; PAUSE db; resume \"Db\"; reconnect db; switchover db to db-1:5432 within 5s; "
      "switchover db to db-1:5432");
  EXPECT_TRUE(hand.heard.empty()) << "reading does nothing yet";
  for (const auto& each : all) {
    ASSERT_TRUE(each) << each.error().message;
    const auto rows = at.rows(*each);
    ASSERT_TRUE(rows);
    EXPECT_EQ(rows->notice, hand.heard.back());
    EXPECT_TRUE(rows->rows.empty());
  }
  EXPECT_THAT(hand.heard,
              testing::ElementsAre("pause ", "pause db", "resume Db", "reconnect db",
                                   "switch db to db-1:5432 within 5000",
                                   fmt::format("switch db to db-1:5432 within {}",
                                               std::chrono::milliseconds(limits::switchover_time).count())));
  hand.refuses = true;
  EXPECT_EQ(at.rows(*all[0]).error().code.view(), "55000");
  for (const char* wrong : {"pause a b", "switchover db", "switchover db to", "switchover db at db-1:5432",
                            "switchover db to db-1:5432 within", "switchover db to db-1:5432 within soon",
                            "switchover db to db-1:5432 within 0"})
    EXPECT_EQ(at.read(wrong).front().error().code.view(), "42601") << wrong;
}

TEST(Desk, ReadsStatementsAndSaysWhatItKnows) {
  made_up gateway;
  made_up_hand hand;
  desk at(gateway, hand, "1.2.3");
  EXPECT_TRUE(at.read(" ; -- nothing\n/* at /* all */ */ ;").empty());
  const auto two = at.read("show version; SHOW \"stats\" ;");
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0]->columns.size(), 1u);
  EXPECT_EQ(two[1]->columns[0].name, "database");
  const auto unknown = at.read("show version; show foo; show version");
  ASSERT_EQ(unknown.size(), 2u);
  EXPECT_EQ(unknown[1].error().code.view(), "42601");
  EXPECT_THAT(unknown[1].error().hint, HasSubstr("SLOW"));
  EXPECT_EQ(at.read("suspend").front().error().code, sqlstates::feature_not_supported);
  EXPECT_EQ(at.read("show fds").front().error().code, sqlstates::feature_not_supported);
  EXPECT_TRUE(at.read("set application_name = 'x'").front());
  EXPECT_EQ(at.read("begin").front()->effect, session::console_effect::begin);
  EXPECT_EQ(at.read("frobnicate \x01\xff now").front().error().message, "unknown command \"FROBNICATE\"");
  EXPECT_EQ(at.read("\xff\xfe").front().error().message, "unknown command \"?\"");
  EXPECT_EQ(at.rows(*two[0])->rows.front().front(), "Trunkline 1.2.3");
}

}  // namespace
}  // namespace trunkline::console
