// Whom a route's tokens are shown to, where nothing is said of it: the API server of the gateway itself.
#include "config/pod.h"

#include <gtest/gtest.h>

#include "config/load.h"

namespace trunkline::config {
namespace {

constexpr const char* own_token = "/var/run/secrets/kubernetes.io/serviceaccount/token";
constexpr const char* own_ca = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

std::optional<std::string> of_pod(const std::string& name) {
  if (name == "KUBERNETES_SERVICE_HOST") return "10.9.8.7";
  if (name == "KUBERNETES_SERVICE_PORT") return "443";
  return std::nullopt;
}

std::optional<std::string> of_nobody(const std::string&) {
  return std::nullopt;
}

TEST(Pod, WhatIsLeftOutIsAsForEveryPod) {
  const kubernetes_access whole{
      .api_server = "https://10.9.8.7:443", .token_file = own_token, .ca_file = own_ca};
  EXPECT_EQ(with_pod({}, of_pod), whole);
  EXPECT_EQ(with_pod({}, of_nobody), kubernetes_access{});
  EXPECT_EQ(with_pod({.api_server = "https://k", .token_file = "/t"}, of_nobody),
            (kubernetes_access{.api_server = "https://k", .token_file = "/t", .ca_file = own_ca}));
  EXPECT_EQ(with_pod({.api_server = "http://127.0.0.1:1"}, of_pod).ca_file, "") << "nobody to vouch for";
  const kubernetes_access said{.kubeconfig_file = "/k"};
  EXPECT_EQ(with_pod(said, of_pod), said);
}

kubernetes_auth asked(const std::string& kubernetes, const std::string& section, const environment& from) {
  const std::string text =
      "listeners: [{name: main, address: 'unix:/run/t.sock'}]\n"
      "upstreams: [{name: db, endpoints: ['db:5432']}]\n"
      "routes: [{name: app, upstream: db, auth: {method: kubernetes, kubernetes: {audience: db" +
      kubernetes + "}}}]\n" + section;
  const auto made = load_text(text, "/t", {.environment = from, .check_files = false});
  EXPECT_TRUE(made.value) << made.problems.front().render();
  return made.value ? *made.value->routes.front().auth.kubernetes : kubernetes_auth{};
}

TEST(Pod, ARoutesApiServerIsTheGatewaysOwn) {
  const auto pod = asked("", "", of_pod);
  EXPECT_EQ(pod.api_server, "https://10.9.8.7:443");
  EXPECT_EQ(pod.token_file, own_token);
  EXPECT_EQ(pod.ca_file, own_ca);
  const std::string section = "kubernetes: {apiServer: 'https://k', caFile: /c}\n";
  const auto said = asked(", tokenFile: /mine", section, of_pod);
  EXPECT_EQ(said.api_server, "https://k");
  EXPECT_EQ(said.token_file, "/mine");
  EXPECT_EQ(said.ca_file, "/c");
  EXPECT_EQ(asked("", section, of_nobody).token_file, own_token) << "as the section itself has it";
  EXPECT_TRUE(asked("", "", of_nobody).is_the_pods()) << "checked where it is no pod";
  EXPECT_EQ(asked(", offline: {issuer: 'https://i'}", section, of_pod).api_server, "") << "none is asked";
  EXPECT_EQ(asked(", apiServer: 'https://other', tokenFile: /t", section, of_pod).api_server,
            "https://other");
}

}  // namespace
}  // namespace trunkline::config
