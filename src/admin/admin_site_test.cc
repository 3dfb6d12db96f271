#include "admin/admin_site.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/fake_observer.h"
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
  seen_.route_list[0]->sessions_begun.add(4);
  const auto upstream = get_json("/api/v1/upstreams")["upstreams"][0];
  EXPECT_EQ(upstream["name"], "db");
  EXPECT_EQ(upstream["tls"], "verify-full");
  EXPECT_EQ(upstream["endpoints"][0], "db.example.org:5432");
  EXPECT_EQ(upstream["sessions"], 4);
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
