// EndpointSlices as controllers make them, and as nobody should.
#include "k8s/endpoint_slices.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

namespace trunkline::k8s {
namespace {

using config::kubernetes_discovery;
using config::kubernetes_operator;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

json slice(const std::string& name, const std::string& endpoints,
           const std::string& ports = R"([{"name":"postgres","port":5432,"protocol":"TCP"}])",
           const std::string& family = "IPv4") {
  return json::parse(
      fmt::format(R"({{"metadata":{{"name":"{}"}},"addressType":"{}","ports":{},"endpoints":[{}]}})", name,
                  family, ports, endpoints));
}

std::string one(const std::string& address, const std::string& conditions = "",
                const std::string& zone = "") {
  return fmt::format(R"({{"addresses":["{}"],"conditions":{{{}}},"zone":"{}"}})", address, conditions, zone);
}

/// "10.0.0.1:5432", with what is said of it.
std::vector<std::string> shown(const endpoint_slices& from) {
  std::vector<std::string> all;
  for (const auto& each : from.found().endpoints)
    all.push_back(each.address.text() + (each.ready ? "" : " unready") + (each.leaving ? " leaving" : "") +
                  (each.zone.empty() ? "" : " in " + each.zone));
  return all;
}

kubernetes_discovery service(const std::string& port = "") {
  return {.name_space = "prod", .service = "db", .port = port};
}

TEST(EndpointSlices, ConditionsSayWhatBecomesOfSessions) {
  endpoint_slices all(service());
  all.put(slice("s", one("10.0.0.1", "", "a") + "," + one("10.0.0.2", R"("ready":false)") + "," +
                         one("10.0.0.3", R"("ready":false,"serving":true,"terminating":true)") + "," +
                         one("10.0.0.4", R"("ready":false,"serving":false,"terminating":true)") + "," +
                         one("10.0.0.5", R"("ready":null)")));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.1:5432 in a", "10.0.0.2:5432 unready", "10.0.0.3:5432 leaving",
                                      "10.0.0.4:5432 unready leaving", "10.0.0.5:5432"));
  EXPECT_EQ(all.found().server_name, "db.prod.svc");
}

TEST(EndpointSlices, TheLastThatServesIsNotLeft) {
  endpoint_slices all(service());
  all.put(slice("s", one("10.0.0.3", R"("ready":false,"serving":true,"terminating":true)") + "," +
                         one("10.0.0.4", R"("ready":false,"serving":false,"terminating":true)")));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.3:5432", "10.0.0.4:5432 unready leaving"));
}

TEST(EndpointSlices, AnAddressInSeveralSlicesIsOneEndpoint) {
  endpoint_slices all(service());
  all.put(slice("s1", one("10.0.0.1", R"("ready":false)") + "," + one("10.0.0.2")));
  all.put(slice("s2", one("10.0.0.1")));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.1:5432", "10.0.0.2:5432"));
  all.remove(slice("s2", ""));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.1:5432 unready", "10.0.0.2:5432"));
  all.put(slice("s1", one("10.0.0.9")));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.9:5432"));
  all.put(slice("s6", one("fd00::1"), R"([{"port":5432}])", "IPv6"));
  EXPECT_THAT(shown(all), ElementsAre("10.0.0.9:5432", "[fd00::1]:5432"));
  all.clear();
  EXPECT_THAT(shown(all), IsEmpty());
}

TEST(EndpointSlices, Ports) {
  const std::string two = R"([{"name":"metrics","port":9187},{"name":"pg","port":6000}])";
  const auto with = [&](const std::string& wanted, const std::string& ports) {
    endpoint_slices all(service(wanted));
    all.put(slice("s", one("10.0.0.1"), ports));
    const auto list = shown(all);
    return list.empty() ? all.problem() : list.front();
  };
  EXPECT_EQ(with("", R"([{"name":"x","port":7000}])"), "10.0.0.1:7000");
  EXPECT_EQ(with("", two), "10.0.0.1:6000");
  EXPECT_EQ(with("metrics", two), "10.0.0.1:9187");
  EXPECT_EQ(with("6000", two), "10.0.0.1:6000");
  EXPECT_THAT(with("5432", two), HasSubstr("has no port 5432"));
  EXPECT_THAT(with("postgres", two), HasSubstr("has no port postgres"));
  EXPECT_THAT(with("", R"([{"name":"a","port":1},{"name":"b","port":2}])"), HasSubstr("say which"));
  EXPECT_THAT(with("", R"([{"name":"pg","port":5432,"protocol":"UDP"}])"), HasSubstr("say which"));
  EXPECT_EQ(with("", "[]"), "10.0.0.1:5432");
  EXPECT_EQ(with("6000", "null"), "10.0.0.1:6000");
}

TEST(EndpointSlices, StrangeOnesBringNothingAndHarmNothing) {
  endpoint_slices all(service());
  all.put(slice("good", one("10.0.0.1")));
  for (
      const char* text :
      {R"({"metadata":{"name":"x"}})", R"({"metadata":{"name":"x"},"addressType":"FQDN","endpoints":[{}]})",
       R"({"metadata":{"name":"x"},"addressType":"IPv4","ports":5,"endpoints":{"a":1}})",
       R"({"metadata":{"name":"x"},"addressType":"IPv4","ports":[{"port":"5432"}],"endpoints":[{"addresses":["10.0.0.7"]}]})",
       R"({"metadata":{"name":"x"},"addressType":"IPv4","ports":[{"port":70000}],"endpoints":[{"addresses":["10.0.0.7"]}]})",
       R"({"metadata":{"name":"x"},"addressType":"IPv4","ports":[{"port":5432}],"endpoints":[5,{},{"addresses":[]},{"addresses":[7]},{"addresses":["db.example.org"]},{"addresses":["10.0.0.999"]}]})"}) {
    all.put(json::parse(text));
    EXPECT_THAT(shown(all), ElementsAre("10.0.0.1:5432")) << text;
  }
  EXPECT_EQ(all.problem(), "");
}

TEST(EndpointSlices, Operators) {
  const auto cluster = [](kubernetes_operator by) {
    return kubernetes_discovery{.name_space = "prod", .run_by = by, .cluster = "db"};
  };
  EXPECT_THAT(services_of(service()), ElementsAre("db"));
  EXPECT_THAT(services_of(cluster(kubernetes_operator::cloudnative_pg)),
              ElementsAre("db-r", "db-rw", "db-ro"));
  EXPECT_THAT(services_of(cluster(kubernetes_operator::zalando)), ElementsAre("db", "db-repl"));
  EXPECT_THAT(services_of(cluster(kubernetes_operator::crunchy)), ElementsAre("db-ha", "db-replicas"));
  EXPECT_EQ(selector_of({"db"}), "kubernetes.io/service-name=db");
  EXPECT_EQ(selector_of({"db-rw", "db-r", "db-rw"}), "kubernetes.io/service-name in (db-r,db-rw)");
  EXPECT_EQ(server_name_of(cluster(kubernetes_operator::cloudnative_pg)), "db-rw.prod.svc");
  EXPECT_EQ(server_name_of(cluster(kubernetes_operator::zalando)), "db.prod.svc");
  EXPECT_EQ(server_name_of(cluster(kubernetes_operator::crunchy)), "db-primary.prod.svc");
  EXPECT_EQ(server_name_of({.name_space = "p", .service = "s", .server_name = "db.example.org"}),
            "db.example.org");
}

TEST(EndpointSlices, FiveThousandAreAppliedInTime) {
  endpoint_slices all(service());
  const auto hundred = [](int number) {
    std::string list;
    for (int i = 0; i < 100; ++i)
      list += (list.empty() ? "" : ",") +
              one(fmt::format("10.{}.1.{}", number, i + 1), R"("ready":true)", "zone-a");
    return slice(fmt::format("s{}", number), list).dump();
  };
  for (int i = 0; i < 50; ++i)
    all.put(json::parse(hundred(i)));
  const std::string event = hundred(7);
  auto took = std::chrono::steady_clock::duration::max();  // the best of some: others are at work here too
  for (int i = 0; i < 5; ++i) {
    const auto began = std::chrono::steady_clock::now();
    all.put(json::parse(event));
    EXPECT_EQ(all.found().endpoints.size(), 5'000U);
    took = std::min(took, std::chrono::steady_clock::now() - began);
  }
  EXPECT_LT(took, std::chrono::milliseconds(50));
  RecordProperty("microseconds",
                 static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
}

}  // namespace
}  // namespace trunkline::k8s
