// Kubeconfigs and pods' own places.
#include "k8s/api_access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "auth/base64.h"
#include "base/bytes.h"

namespace trunkline::k8s {
namespace {

using testing::HasSubstr;

class ApiAccess : public testing::Test {
 protected:
  ApiAccess() {
    char name[] = "/tmp/api-access-XXXXXX";
    folder = ::mkdtemp(name);
  }
  ~ApiAccess() override { std::filesystem::remove_all(folder); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder + "/" + name) << text;
    return folder + "/" + name;
  }
  static std::string config(const std::string& cluster, const std::string& user) {
    return "apiVersion: v1\nkind: Config\ncurrent-context: here\n"
           "contexts:\n- {name: there, context: {cluster: nowhere, user: me}}\n"
           "- {name: here, context: {cluster: k, user: me}}\n"
           "clusters:\n- name: k\n  cluster: {" +
           cluster + "}\nusers:\n- name: me\n  user: {" + user + "}\n";
  }
  result<api_access> read(const std::string& cluster, const std::string& user,
                          const std::string& context = "") const {
    return read_kubeconfig(config(cluster, user), folder + "/config", context);
  }
  std::string problem(const std::string& cluster, const std::string& user) const {
    const auto made = read(cluster, user);
    return made ? "none" : made.error().message;
  }

  std::string folder;
  const std::string server = "server: 'https://10.0.0.1:6443'";
};

TEST_F(ApiAccess, AKubeconfigWithFilesBesideIt) {
  write("ca.crt", "CA");
  write("me.crt", "CERT");
  write("me.key", "KEY");
  write("token", "secret\n");
  auto made =
      read(server + ", certificate-authority: ca.crt", "client-certificate: me.crt, client-key: me.key");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->server, "https://10.0.0.1:6443");
  EXPECT_EQ(made->tls.authorities, "CA");
  EXPECT_EQ(made->tls.certificate, "CERT");
  EXPECT_EQ(made->tls.key.reveal(), "KEY");
  EXPECT_TRUE(made->token.empty());
  made = read(server, "tokenFile: token, token: other");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->token.reveal(), "secret");
  EXPECT_EQ(read(server, "token: other")->token.reveal(), "other");
}

TEST_F(ApiAccess, AKubeconfigThatHoldsEverything) {
  const auto base64 = [](const std::string& text) { return auth::base64_encode(as_bytes(text)); };
  const auto made =
      read(server + ", certificate-authority-data: " + base64("CA"),
           "client-certificate-data: " + base64("CERT") + ", client-key-data: " + base64("KEY"));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->tls.authorities, "CA");
  EXPECT_EQ(made->tls.certificate, "CERT");
  EXPECT_EQ(made->tls.key.reveal(), "KEY");
}

TEST_F(ApiAccess, WhatIsRefused) {
  EXPECT_THAT(problem(server, "exec: {command: aws}"),
              HasSubstr("config:12: exec: is refused: the gateway starts no "
                        "programs"));
  EXPECT_THAT(problem(server, "auth-provider: {name: gcp}"), HasSubstr("auth-provider: is refused"));
  EXPECT_THAT(problem(server, "username: a, password: hunter2"), HasSubstr("username: is not supported"));
  EXPECT_THAT(problem(server + ", insecure-skip-tls-verify: true", "token: a"), HasSubstr("always verified"));
  EXPECT_THAT(problem(server + ", proxy-url: 'http://p'", "token: a"),
              HasSubstr("proxy-url: is not supported"));
  EXPECT_THAT(problem("server: 'http://10.0.0.1'", "token: a"), HasSubstr("is no https:// address"));
  EXPECT_THAT(problem(server, "client-key-data: '%'"), HasSubstr("client-key-data: is not base64"));
  EXPECT_THAT(problem(server, "client-key-data: QQ=="), HasSubstr("stands without"));
  EXPECT_THAT(problem(server, "tokenFile: nowhere"), HasSubstr("nowhere: cannot be read"));
  EXPECT_THAT(problem(server, "token: \"a\\nb\""), HasSubstr("token: is none"));
  EXPECT_THAT(read(server, "token: a", "there").error().message, HasSubstr("has no cluster \"nowhere\""));
  EXPECT_THAT(read(server, "token: a", "what").error().message, HasSubstr("has no context \"what\""));
  for (const char* text : {"", "5", "[]", "a: [", "kind: Config"})
    EXPECT_FALSE(read_kubeconfig(text, "c", "")) << text;
}

TEST_F(ApiAccess, APodsOwnPlaces) {
  const auto from = [](std::map<std::string, std::string> set) {
    return [set](const std::string& name) -> std::optional<std::string> {
      const auto found = set.find(name);
      return found == set.end() ? std::nullopt : std::optional(found->second);
    };
  };
  config::kubernetes_access how{.token_file = write("token", "t1"), .ca_file = write("ca.crt", "CA")};
  EXPECT_THAT(read_access(how, from({})).error().message, HasSubstr("KUBERNETES_SERVICE_HOST is not set"));
  auto made =
      read_access(how, from({{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}}));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->server, "https://10.96.0.1:443");
  EXPECT_EQ(made->token.reveal(), "t1");
  EXPECT_EQ(made->tls.authorities, "CA");
  EXPECT_EQ(read_access(how, from({{"KUBERNETES_SERVICE_HOST", "fd00::1"}}))->server,
            "https://[fd00::1]:443");
  how.api_server = "https://k8s.example.org/";
  write("token", "t2");
  EXPECT_EQ(read_access(how, from({}))->server, "https://k8s.example.org");
  EXPECT_EQ(read_access(how, from({}))->token.reveal(), "t2") << "it is read each time";
  how = {};
  EXPECT_THAT(read_access(how, from({{"KUBERNETES_SERVICE_HOST", "h"}})).error().message,
              HasSubstr("/var/run/secrets/kubernetes.io/serviceaccount/token: cannot be read"));
}

}  // namespace
}  // namespace trunkline::k8s
