#include "admin/admin_site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/fake_observer.h"
#include "admin/status_site.h"
#include "base/limits.h"

namespace trunkline::admin {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class AdminSite : public testing::Test {
 protected:
  http_response get(const std::string& target) {
    const auto got = read_request(as_bytes("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_EQ(got.what, http_reading::state::request) << target;
    return site_.answer(got.request);
  }
  json get_json(const std::string& target, int status = 200) {
    const auto got = get(target);
    EXPECT_EQ(got.status, status) << target << got.body;
    EXPECT_EQ(got.content_type, "application/json");
    return json::parse(got.body);
  }
  void add_session(std::uint64_t id, std::string user, std::string state) {
    session::session_view made;
    made.id = id;
    made.user = std::move(user);
    made.state = std::move(state);
    made.route = "app";
    seen_.session_list.push_back(made);
  }

  fake_observer seen_;
  admin_site site_{seen_, "9.9"};
};

TEST_F(AdminSite, HealthNamesTheLoopThatHangs) {
  EXPECT_EQ(get_json("/healthz")["status"], "ok");
  const auto long_ago = std::chrono::steady_clock::now().time_since_epoch() - 2 * limits::loop_silence;
  seen_.worker_list[1]->heartbeat_ns = std::chrono::nanoseconds(long_ago).count();
  const auto hanging = get_json("/healthz", 503);
  EXPECT_EQ(hanging["silent"].size(), 1U);
  EXPECT_EQ(hanging["silent"][0]["worker"], 1);
  EXPECT_GE(hanging["silent"][0]["silentSeconds"], 9.0);
}

TEST_F(AdminSite, AWorkerThatHasNeverTurnedIsGivenItsTimeToStart) {
  seen_.worker_list[0]->heartbeat_ns = 0;
  EXPECT_EQ(get("/healthz").status, 200);
  seen_.begun = std::chrono::system_clock::now() - 2 * limits::loop_silence;
  EXPECT_EQ(get("/healthz").status, 503);
}

TEST_F(AdminSite, ReadySaysWhyNot) {
  EXPECT_EQ(get_json("/readyz")["status"], "ready");
  seen_.is_draining = true;
  EXPECT_THAT(get_json("/readyz", 503)["why"], HasSubstr("draining"));
  seen_.is_draining = false;
  seen_.is_ready = false;
  EXPECT_THAT(get_json("/readyz", 503)["why"], HasSubstr("listening"));
  seen_.current = nullptr;
  EXPECT_THAT(get_json("/readyz", 503)["why"], HasSubstr("configuration"));
  EXPECT_EQ(get("/api/v1/config").status, 503);
  EXPECT_EQ(get("/api/v1/upstreams").status, 503);
  EXPECT_THAT(get("/metrics").body, HasSubstr("trunkline_config_generation 0\n"));
}

TEST_F(AdminSite, StatusShowsHealthAndMetricsAndNothingElse) {
  status_site status(site_);
  const auto ask = [&](std::string path) {
    http_request request;
    request.method = "GET";
    request.path = std::move(path);
    return status.answer(request).status;
  };
  for (const char* shown : {"/healthz", "/readyz", "/metrics"})
    EXPECT_EQ(ask(shown), 200) << shown;
  for (const char* hidden : {"/", "/api/v1/sessions", "/api/v1/config", "/api/v1/access", "/metrics/"})
    EXPECT_EQ(ask(hidden), 404) << hidden;
}

TEST_F(AdminSite, SessionsAreFilteredAndBounded) {
  add_session(3, "bob", "idle");
  add_session(1, "alice", "active");
  add_session(2, "alice", "idle in transaction");
  const auto ids = [&](const std::string& query) {
    std::vector<int> list;
    const auto got = get_json("/api/v1/sessions" + query);
    for (const auto& each : got["sessions"])
      list.push_back(each["id"].get<int>());
    return list;
  };
  EXPECT_THAT(ids(""), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids("?user=alice"), ElementsAre(1, 2));
  EXPECT_THAT(ids("?user=alice&state=idle+in+transaction"), ElementsAre(2));
  EXPECT_THAT(ids("?route=other"), ElementsAre());
  EXPECT_THAT(ids("?limit=2"), ElementsAre(1, 2));
  EXPECT_EQ(get_json("/api/v1/sessions?limit=2")["matching"], 3);
  EXPECT_THAT(get_json("/api/v1/sessions?colour=red", 400)["error"]["message"],
              HasSubstr("route, user, database"));
  for (const char* wrong : {"?limit=0", "?limit=1001", "?limit=many", "?user=a&user=b"})
    EXPECT_EQ(get(std::string("/api/v1/sessions") + wrong).status, 400) << wrong;
  EXPECT_EQ(get_json("/api/v1/sessions/3")["user"], "bob");
  EXPECT_EQ(get("/api/v1/sessions/4").status, 404);
  EXPECT_EQ(get("/api/v1/sessions/-1").status, 404);
  seen_.complete = false;
  EXPECT_EQ(get("/api/v1/sessions/4").status, 503) << "a worker was too busy to say";
  EXPECT_EQ(get_json("/api/v1/sessions")["complete"], false);
}

TEST_F(AdminSite, NamesOfStrangersStayInsideTheJson) {
  add_session(1, std::string("a\"\xff\0<script>", 12), "idle");
  const auto got = get_json("/api/v1/sessions/1");
  EXPECT_EQ(got["user"], std::string("a\"\xef\xbf\xbd\0<script>", 14));
}

TEST_F(AdminSite, ASessionIsFoundByItsNameAndSaysWhatItsLegsCost) {
  add_session(1, "alice", "idle");
  add_session(2, "alice", "idle");
  seen_.session_list.back().application_name = "trunkline doctor 3f";
  seen_.session_list.back().server_leg = session::leg_view{.rtt_seconds = 0.002, .retransmits = 3};
  const auto got = get_json("/api/v1/sessions?applicationName=trunkline%20doctor%203f");
  EXPECT_EQ(got["matching"], 1);
  const auto legs = got["sessions"][0]["legs"];
  EXPECT_EQ(legs["client"], nullptr);
  EXPECT_EQ(legs["server"]["retransmits"], 3);
  EXPECT_DOUBLE_EQ(legs["server"]["rttSeconds"].get<double>(), 0.002);
  EXPECT_EQ(get("/api/v1/path?limit=1").status, 400);
}

TEST_F(AdminSite, APooledSessionSaysWhatItHas) {
  add_session(1, "anna", "idle");
  add_session(2, "anna", "idle");
  auto& of = seen_.session_list[1].pooled.emplace();
  of.mode = "transaction";
  of.pinned = "listen";
  of.pinned_seconds = 2.5;
  of.server.emplace().number = 17;
  EXPECT_EQ(get_json("/api/v1/sessions/1")["pooled"], nullptr);
  const auto got = get_json("/api/v1/sessions/2")["pooled"];
  EXPECT_EQ(got["mode"], "transaction");
  EXPECT_EQ(got["connection"], 17);
  EXPECT_EQ(got["waitSeconds"], nullptr);
  EXPECT_EQ(got["pinned"], "listen");
  EXPECT_EQ(got["pinnedSeconds"], 2.5);
  of.server.reset();
  of.waits = true;
  of.wait_seconds = 0.5;
  of.pinned.clear();
  const auto waiting = get_json("/api/v1/sessions/2")["pooled"];
  EXPECT_EQ(waiting["connection"], nullptr);
  EXPECT_EQ(waiting["waitSeconds"], 0.5);
  EXPECT_EQ(waiting["pinnedSeconds"], nullptr);
}

TEST_F(AdminSite, PoolsAreFilteredAndBounded) {
  for (const char* user : {"anna", "bert", "carl"}) {
    auto& made = seen_.pool_list.emplace_back();
    made.upstream = "db";
    made.user = user;
    made.sv_idle = 3;
    made.maxwait_us = 1'500'000;
  }
  auto got = get_json("/api/v1/pools");
  EXPECT_EQ(got["matching"], 3);
  EXPECT_EQ(got["pools"][0]["connections"]["idle"], 3);
  EXPECT_EQ(got["pools"][0]["longestWaitSeconds"], 1.5);
  got = get_json("/api/v1/pools?user=bert");
  EXPECT_EQ(got["matching"], 1);
  EXPECT_EQ(got["pools"][0]["user"], "bert");
  got = get_json("/api/v1/pools?upstream=db&limit=2");
  EXPECT_EQ(got["matching"], 3);
  EXPECT_EQ(got["pools"].size(), 2U);
  EXPECT_EQ(get_json("/api/v1/pools?upstream=other")["matching"], 0);
  EXPECT_EQ(get("/api/v1/pools?colour=red").status, 400);
}

TEST_F(AdminSite, PreparedStatementsShowNoLiteral) {
  seen_.prepared_list.push_back(
      {.name = "trunkline_00_1", .text = "select 'geheim' where a = $1", .uses = 7, .users = 2});
  const auto got = get_json("/api/v1/prepared")["statements"][0];
  EXPECT_EQ(got["name"], "trunkline_00_1");
  EXPECT_EQ(got["uses"], 7);
  EXPECT_EQ(got["clients"], 2);
  EXPECT_THAT(got["statement"], HasSubstr("where a = $"));
  EXPECT_THAT(got["statement"], Not(HasSubstr("geheim")));
}

telemetry::flight_record slow_record(std::string statement) {
  telemetry::flight_record made;
  made.facts.total = 5s;
  made.facts.at(telemetry::phase::server) = 4s;
  made.facts.kind = telemetry::exchange_kind::extended;
  made.statement = std::move(statement);
  return made;
}

TEST_F(AdminSite, ExchangesSayWhereTheTimeWentAndShowNoLiteral) {
  seen_.exchange_lists.slowest = {slow_record("select secret from t where pin = '4711' and n = 815")};
  seen_.exchange_lists.failed = {slow_record("select '" + std::string(limits::statement_head_bytes, 'x')),
                                 slow_record("alter role u password $x$hunter3")};
  seen_.exchange_lists.failed[1].facts.how = telemetry::outcome::error;
  seen_.exchange_lists.failed[1].facts.code = sqlstate("42601");
  const auto text = get("/api/v1/exchanges").body;
  const auto got = json::parse(text);
  const auto& slow = got["slowest"][0];
  EXPECT_EQ(slow["kind"], "extended");
  EXPECT_EQ(slow["seconds"]["total"], 5.0);
  EXPECT_EQ(slow["seconds"]["server"], 4.0);
  EXPECT_EQ(slow["dominant"]["phase"], "server");
  EXPECT_EQ(slow["dominant"]["share"], 0.8);
  EXPECT_THAT(slow["statement"], HasSubstr("pin = $"));
  EXPECT_EQ(got["failed"][0]["statement"], nullptr) << "it was cut: nobody knows what the rest of it is";
  EXPECT_EQ(got["failed"][1]["sqlstate"], "42601");
  for (const char* secret : {"4711", "815", "xxxx", "hunter3"})
    EXPECT_THAT(text, Not(HasSubstr(secret)));
  EXPECT_EQ(get_json("/api/v1/exchanges?limit=1")["failed"].size(), 1U);
}

TEST_F(AdminSite, TheConfigurationIsShownWithoutSecrets) {
  const auto got = get_json("/api/v1/config");
  EXPECT_EQ(got["generation"], 1);
  EXPECT_EQ(got["config"]["routes"][0]["credentials"]["password"], "<redacted>");
  EXPECT_THAT(got.dump(), Not(HasSubstr("hunter2")));
}

/// A primary and a replica that have told all they can, and one that is down.
session::upstream_view some_upstream() {
  session::upstream_view made;
  made.name = "db";
  made.generation = 9;
  made.primary = "db-0:5432";
  made.discovery_failures = 2;
  made.held = 3;
  made.holds = 40;
  made.held_seconds = 12.5;
  made.failovers = 1;
  made.last_gap_seconds = 1.25;
  session::endpoint_view primary;
  primary.name = "db-0:5432";
  primary.addresses = "10.0.0.1:5432, 10.0.0.2:5432";
  primary.zone = "a";
  primary.state = "up";
  primary.role = "primary";
  primary.system_identifier = 7'301'234'567'890'123'456U;
  primary.timeline = 4;
  primary.version = 160'004;
  primary.since_seconds = 60;
  primary.asked_seconds = 0.5;
  primary.sessions = 17;
  primary.logins_under_way = 16;
  primary.logins_waiting = 5;
  session::endpoint_view replica = primary;
  replica.name = "db-1:5432";
  replica.role = "replica";
  replica.lag_seconds = 0.25;
  replica.lag_bytes = 4096;
  replica.ejected_seconds = 3;
  session::endpoint_view gone;
  gone.name = "db-2:5432";
  gone.state = "down";
  gone.role = "unknown";
  gone.said = "Connection \"refused\"";
  made.endpoints = {primary, replica, gone};
  return made;
}

TEST_F(AdminSite, UpstreamsAreWhatIsKnownOfThem) {
  seen_.route_list[0]->sessions_begun.add(4);
  seen_.upstream_list = {some_upstream()};
  const auto got = get_json("/api/v1/upstreams")["upstreams"];
  ASSERT_EQ(got.size(), 1U);
  const auto& upstream = got[0];
  EXPECT_EQ(upstream["name"], "db");
  EXPECT_EQ(upstream["tls"], "verify-full");
  EXPECT_EQ(upstream["sessions"], 4);
  EXPECT_EQ(upstream["generation"], 9);
  EXPECT_EQ(upstream["primary"], "db-0:5432");
  EXPECT_EQ(upstream["paused"], false);
  EXPECT_EQ(upstream["held"], 3);
  EXPECT_EQ(upstream["failovers"], 1);
  EXPECT_EQ(upstream["lastGapSeconds"], 1.25);
  EXPECT_EQ(upstream["discovery"], json({{"problem", nullptr}, {"failures", 2}}));
  ASSERT_EQ(upstream["endpoints"].size(), 3U);
  EXPECT_EQ(upstream["endpoints"][1], json({{"name", "db-1:5432"},
                                            {"addresses", "10.0.0.1:5432, 10.0.0.2:5432"},
                                            {"zone", "a"},
                                            {"state", "up"},
                                            {"role", "replica"},
                                            {"lastSaid", nullptr},
                                            {"systemIdentifier", "7301234567890123456"},
                                            {"timeline", 4},
                                            {"version", 160'004},
                                            {"lagSeconds", 0.25},
                                            {"lagBytes", 4096},
                                            {"sinceSeconds", 60.0},
                                            {"askedSeconds", 0.5},
                                            {"ejectedSeconds", 3.0},
                                            {"sessions", 17},
                                            {"loginsWaiting", 5},
                                            {"loginsUnderWay", 16}}));
  const auto& gone = upstream["endpoints"][2];
  EXPECT_EQ(gone["lastSaid"], "Connection \"refused\"");
  for (const char* unknown :
       {"zone", "systemIdentifier", "timeline", "version", "lagSeconds", "lagBytes", "askedSeconds"})
    EXPECT_EQ(gone[unknown], nullptr) << unknown;
}

TEST_F(AdminSite, AnUpstreamThatAReloadHasTakenAwayIsShownWhileSessionsAreOnIt) {
  seen_.upstream_list = {some_upstream()};
  seen_.upstream_list[0].name = "old";
  seen_.upstream_list[0].primary.clear();
  seen_.upstream_list[0].discovery_problem = "old: no such name";
  seen_.upstream_list[0].discovery_age_seconds = 2.5;
  const auto upstream = get_json("/api/v1/upstreams")["upstreams"][0];
  EXPECT_EQ(upstream["name"], "old");
  EXPECT_FALSE(upstream.contains("tls"));
  EXPECT_EQ(upstream["sessions"], 0);
  EXPECT_EQ(upstream["primary"], nullptr);
  EXPECT_EQ(upstream["discovery"]["problem"], "old: no such name");
  EXPECT_EQ(upstream["discovery"]["ageSeconds"], 2.5);
}

TEST_F(AdminSite, MetricsOfUpstreamsAndTheirEndpoints) {
  seen_.upstream_list = {some_upstream()};
  seen_.upstream_list[0].endpoints.emplace_back();
  seen_.upstream_list[0].endpoints[3].name = "db-3:5432";
  seen_.upstream_list[0].endpoints[3].state = seen_.upstream_list[0].endpoints[3].role = "unknown";
  const auto text = get("/metrics").body;
  for (const char* part :
       {"trunkline_endpoint_up{upstream=\"db\",endpoint=\"db-0:5432\"} 1\n",
        "trunkline_endpoint_up{upstream=\"db\",endpoint=\"db-2:5432\"} 0\n",
        "trunkline_endpoint_role{upstream=\"db\",endpoint=\"db-0:5432\",role=\"primary\"} 1\n",
        "trunkline_endpoint_role{upstream=\"db\",endpoint=\"db-0:5432\",role=\"replica\"} 0\n",
        "trunkline_endpoint_role{upstream=\"db\",endpoint=\"db-1:5432\",role=\"superseded\"} 0\n",
        "trunkline_endpoint_role{upstream=\"db\",endpoint=\"db-3:5432\",role=\"unknown\"} 1\n",
        "trunkline_replica_lag_seconds{upstream=\"db\",endpoint=\"db-1:5432\"} 0.25\n",
        "trunkline_endpoint_sessions{upstream=\"db\",endpoint=\"db-0:5432\"} 17\n",
        "trunkline_logins_waiting{upstream=\"db\",endpoint=\"db-0:5432\"} 5\n",
        "trunkline_endpoint_ejected{upstream=\"db\",endpoint=\"db-0:5432\"} 0\n",
        "trunkline_endpoint_ejected{upstream=\"db\",endpoint=\"db-1:5432\"} 1\n",
        "trunkline_held_sessions{upstream=\"db\"} 3\n",
        "trunkline_hold_seconds_total{upstream=\"db\"} 12.5\n", "trunkline_holds_total{upstream=\"db\"} 40\n",
        "trunkline_failovers_total{upstream=\"db\"} 1\n",
        "trunkline_failover_gap_seconds{upstream=\"db\"} 1.25\n",
        "trunkline_upstream_paused{upstream=\"db\"} 0\n",
        "trunkline_topology_changes_total{upstream=\"db\"} 9\n",
        "trunkline_discovery_failures_total{upstream=\"db\"} 2\n"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  for (const char* part : {"trunkline_endpoint_up{upstream=\"db\",endpoint=\"db-3:5432\"}",  // nobody asks it
                           "trunkline_replica_lag_seconds{upstream=\"db\",endpoint=\"db-0:5432\"}",
                           "trunkline_replica_lag_seconds{upstream=\"db\",endpoint=\"db-2:5432\"}"}) {
    EXPECT_THAT(text, Not(HasSubstr(part)));
  }
}

TEST_F(AdminSite, TheRestOfTheApi) {
  seen_.audit_state = {.enabled = true,
                       .blocked = true,
                       .problem = "disk full",
                       .events = 10,
                       .dropped = 2,
                       .lag_seconds = 1.5};
  const auto audit = get_json("/api/v1/audit");
  EXPECT_EQ(audit["problem"], "disk full");
  EXPECT_EQ(audit["dropped"], 2);
  EXPECT_EQ(get_json("/api/v1/access")["supported"], false);
  const auto index = get_json("/api/v1/");
  for (const auto& page : index["api"]) {
    if (page == "/api/v1/sessions/ID") continue;
    EXPECT_EQ(get(page.get<std::string>()).status, 200) << page;
  }
  EXPECT_EQ(get_json("/", 200)["metrics"], "/metrics");
  for (const char* nothing :
       {"/nothing", "/api/v1/nothing", "/api/v2/", "/metrics/x", "/api/v1/sessions/1/x", "/../etc"})
    EXPECT_EQ(get(nothing).status, 404) << nothing;
}

TEST_F(AdminSite, MetricsShowEverythingInTheFormatThatIsAskedFor) {
  seen_.audit_state.dropped = 2;
  const auto expires = std::chrono::system_clock::now();
  seen_.certificate_list = {
      {"main", "CN=a", expires + 2h}, {"main", "CN=a", expires + 1h}, {"main", "CN=b", expires - 1h}};
  site_.tick();
  const auto text = get("/metrics");
  EXPECT_EQ(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
  for (const char* part :
       {"trunkline_audit_dropped_total 2\n", "trunkline_not_postgres_total 7\n", "trunkline_ready 1\n",
        "trunkline_cancels_total{result=\"forwarded\"} 2\n", "trunkline_config_reload_failures_total 3\n",
        "trunkline_build_info{version=\"9.9\"} 1\n", "trunkline_sessions{route=\"app\",upstream=\"db\"} 0\n",
        "trunkline_worker_turns_total{worker=\"1\"} 0\n",
        "trunkline_certificate_expiry_seconds{listener=\"main\",subject=\"CN=a\"} 35",
        "trunkline_certificate_expiry_seconds{listener=\"main\",subject=\"CN=b\"} -36"}) {
    EXPECT_THAT(text.body, HasSubstr(part));
  }
  const auto got =
      read_request(as_bytes("GET /metrics HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n"));
  const auto open = site_.answer(got.request);
  EXPECT_EQ(open.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_THAT(open.body, testing::EndsWith("# EOF\n"));
}

TEST(BusyWindow, IsTheSameForEverybodyWhoAsks) {
  telemetry::worker_metrics worker;
  const std::array<const telemetry::worker_metrics*, 1> all{&worker};
  busy_window window;
  std::chrono::steady_clock::time_point now{1h};
  window.sample(now, all);
  EXPECT_TRUE(window.ratios().empty());
  for (int i = 0; i < 60; ++i) {
    now += 1s;
    worker.busy_ns.add(i < 40 ? 1'000'000'000 : 250'000'000);
    window.sample(now, all);
    if (i == 39) {
      EXPECT_THAT(window.ratios(), ElementsAre(1.0));
    }
  }
  EXPECT_THAT(window.ratios(), ElementsAre(0.25)) << "the busy seconds are longer ago than the window";
  EXPECT_THAT(window.ratios(), ElementsAre(0.25));
}

}  // namespace
}  // namespace trunkline::admin
