// Secrets as files in memory: what stands there, when it changes, and that it goes.
#include "k8s/secret_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "auth/base64.h"
#include "base/bytes.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using config::secret_reference;

json secret(const std::map<std::string, std::string>& entries, const std::string& name = "app") {
  json data = json::object();
  for (const auto& [key, value] : entries)
    data[key] = auth::base64_encode(as_bytes(value));
  return {{"metadata", {{"name", name}, {"resourceVersion", "7"}}}, {"data", data}};
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class SecretFiles : public testing::Test {
 protected:
  struct watched {
    collection of;
    std::weak_ptr<object_sink> sink;
    std::shared_ptr<object_sink> kept;  // as the client has it until it hears that nobody wants it
  };

  object_sink& sink(std::size_t which) { return *watches.at(which).kept; }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  std::vector<watched> watches;
  int changes = 0;
  secret_files files{[this](collection of, std::shared_ptr<object_sink> sink) {
                       watches.push_back({std::move(of), sink, sink});
                       return std::shared_ptr<const void>(sink);
                     },
                     log, [this] { ++changes; }};
  const secret_reference password{"shop", "app", "password"};
};

TEST_F(SecretFiles, AreThereWhenTheApiServerHasTold) {
  files.begin();
  const auto early = files.path_of(password);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().message, "Secret shop/app: the API server has not told it yet");
  ASSERT_EQ(watches.size(), 1u);
  EXPECT_EQ(watches[0].of,
            (collection{.path = "/api/v1/namespaces/shop/secrets", .fields = "metadata.name=app"}));
  EXPECT_TRUE(files.waits());
  sink(0).replace({secret({{"password", "s3cret"}, {"other", "not asked for"}})});
  EXPECT_FALSE(files.waits());
  EXPECT_EQ(changes, 1);
  files.begin();
  const auto path = files.path_of(password);
  ASSERT_TRUE(path);
  EXPECT_TRUE(path->starts_with("/proc/self/fd/")) << *path;
  EXPECT_EQ(content(*path), "s3cret");
  const int descriptor = std::stoi(path->substr(14));
  EXPECT_EQ(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC) << "no other program inherits it";
}

TEST_F(SecretFiles, ChangeBetweenTwoLoadsOnly) {
  (void)files.path_of(password);
  sink(0).replace({secret({{"password", "a long first one"}})});
  const std::string path = *files.path_of(password);
  sink(0).put(secret({{"password", "second"}}));
  EXPECT_EQ(changes, 2);
  EXPECT_EQ(content(path), "a long first one");
  files.begin();
  EXPECT_EQ(*files.path_of(password), path);
  EXPECT_EQ(content(path), "second");
  sink(0).put(secret({{"password", "second"}}));
  EXPECT_EQ(changes, 2) << "it is the same";
}

TEST_F(SecretFiles, AKeyAndItsCertificateAreOfOneVersion) {
  const secret_reference certificate{"shop", "app", "tls.crt"};
  const secret_reference key{"shop", "app", "tls.key"};
  files.begin();
  (void)files.path_of(certificate);
  (void)files.path_of(key);
  ASSERT_EQ(watches.size(), 2u);
  object_sink& newest = sink(1);
  newest.replace({secret({{"tls.crt", "c1"}, {"tls.key", "k1"}})});
  sink(0).put(secret({{"tls.crt", "from a watch that is over"}}));
  files.begin();
  const std::string of_certificate = *files.path_of(certificate);
  const std::string of_key = *files.path_of(key);
  newest.put(secret({{"tls.crt", "c2"}, {"tls.key", "k2"}}));
  files.begin();
  EXPECT_EQ(content(of_certificate), "c2");
  EXPECT_EQ(content(of_key), "k2");
}

TEST_F(SecretFiles, WhatIsGoneLeavesWhatWasKnown) {
  (void)files.path_of(password);
  sink(0).replace({secret({{"password", "one"}})});
  const std::string path = *files.path_of(password);
  changes = 0;
  sink(0).remove(secret({}));
  sink(0).replace({});
  sink(0).put(secret({{"other", "x"}}));
  sink(0).put({{"metadata", {{"name", "app"}}}, {"data", {{"password", "%%%"}}}});
  sink(0).failed("status 403");
  files.begin();
  EXPECT_EQ(*files.path_of(password), path);
  EXPECT_EQ(content(path), "one");
  EXPECT_EQ(changes, 0);
}

TEST_F(SecretFiles, WhatIsMissingIsSaid) {
  (void)files.path_of(password);
  sink(0).replace({});
  EXPECT_EQ(files.path_of(password).error().message, "Secret shop/app: there is no such Secret");
  sink(0).put(secret({{"other", "x"}}));
  EXPECT_EQ(files.path_of(password).error().message, "Secret shop/app: it holds no password");
  sink(0).failed("status 403");
  EXPECT_EQ(files.path_of(password).error().message, "Secret shop/app: status 403");
  EXPECT_FALSE(files.waits());
  sink(0).put(secret({{"password", "now"}}));
  EXPECT_TRUE(files.path_of(password));
}

TEST_F(SecretFiles, WhatNobodyRefersToIsWipedAndWatchedNoMore) {
  files.begin();
  (void)files.path_of(password);
  sink(0).replace({secret({{"password", "s3cret"}})});
  const std::string path = *files.path_of(password);
  const int other_end = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(other_end, 0);
  files.keep_asked();
  EXPECT_EQ(content(path), "s3cret");
  files.begin();
  files.keep_asked();
  char left[16] = {};
  EXPECT_EQ(::read(other_end, left, sizeof left), 6);
  EXPECT_EQ(std::string(left, 6), std::string(6, '\0'));
  ::close(other_end);
  watches[0].kept.reset();
  EXPECT_TRUE(watches[0].sink.expired());
}

TEST_F(SecretFiles, ALoadThatFailsDropsNothing) {
  (void)files.path_of(password);
  sink(0).replace({secret({{"password", "s3cret"}})});
  const std::string path = *files.path_of(password);
  files.begin();
  files.begin();
  EXPECT_EQ(*files.path_of(password), path);
}

TEST_F(SecretFiles, WhoWaitsWaitsForTheFirstAnswerButNotForLong) {
  files.begin();
  (void)files.path_of(password);
  const auto begin = std::chrono::steady_clock::now();
  files.wait(20ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
  sink(0).failed("no");
  files.wait(1h);
}

}  // namespace
}  // namespace trunkline::k8s
