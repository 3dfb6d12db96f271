#include "pool/name_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "base/limits.h"
#include "net/fake_dns_testing.h"
#include "runtime/simulated_loop.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using net::test::a;
using net::test::fake_dns_server;
using net::test::fake_question;
using net::test::fake_reply;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A name server of one name, a clock that a test moves, and threads that really look up.
class NameWatch : public testing::Test {
 protected:
  void says(fake_reply reply) {
    const std::lock_guard lock(mutex_);
    reply_ = std::move(reply);
  }
  std::unique_ptr<name_watch> watch(name_watch::record what = name_watch::record::addresses) {
    return std::make_unique<name_watch>(
        loop, work,
        name_watch::question{.what = what, .name = "db.test.", .port = 5432, .resolver = server_.address()},
        [](void* count) { ++*static_cast<int*>(count); }, &changes);
  }
  /// Until it has been told of so many answers.
  void wait_for(int answers) {
    for (int i = 0; changes < answers && i < 10'000; ++i) {
      loop.settle();
      std::this_thread::sleep_for(1ms);
    }
    ASSERT_EQ(changes, answers);
  }
  /// Nothing is asked before the time has come, and then it is.
  void asks_again_after(std::chrono::milliseconds pause) {
    const int before = asked_;
    const int known = changes;
    loop.advance(pause - 1ms);
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(asked_, before);
    loop.advance(1ms);
    wait_for(known + 1);
    EXPECT_EQ(asked_, before + 1);
  }
  /// The answer may come while the clock is still being moved.
  void next_answer_after(std::chrono::milliseconds pause) {
    const int known = changes;
    loop.advance(pause);
    wait_for(known + 1);
  }
  static std::vector<std::string> texts(const name_watch& of) {
    std::vector<std::string> all;
    for (const auto& each : of.addresses())
      all.push_back(each.text());
    return all;
  }

  runtime::simulated_loop loop;
  runtime::work_pool work{1, 10};
  int changes = 0;

 private:
  std::mutex mutex_;
  fake_reply reply_ = fake_reply::error(ns_r_nxdomain);
  std::atomic<int> asked_ = 0;
  fake_dns_server server_{[this](const fake_question& question) {
    if (question.type != ns_t_a && question.type != ns_t_srv) return fake_reply{};
    ++asked_;
    const std::lock_guard lock(mutex_);
    return reply_;
  }};
};

TEST_F(NameWatch, AsksAgainWhenTheAnswerIsOld) {
  says({{a("db.test", 30, 1)}});
  const auto one = watch();
  EXPECT_FALSE(one->answered());
  wait_for(1);
  EXPECT_TRUE(one->answered());
  EXPECT_THAT(texts(*one), ElementsAre("10.0.0.1:5432"));
  says({{a("db.test", 30, 1), a("db.test", 10, 2)}});
  asks_again_after(30s);
  EXPECT_THAT(texts(*one), ElementsAre("10.0.0.1:5432", "10.0.0.2:5432"));
  asks_again_after(10s);
  EXPECT_THAT(one->problem(), IsEmpty());
  EXPECT_EQ(one->failures(), 0U);
}

TEST_F(NameWatch, AnAnswerIsKeptNeitherTooShortNorTooLong) {
  says({{a("db.test", 0, 1)}});
  const auto one = watch();
  wait_for(1);
  says({{a("db.test", 86'400, 1)}});
  asks_again_after(limits::dns_ttl_least);
  asks_again_after(limits::dns_ttl_most);
}

TEST_F(NameWatch, AResolverThatFailsTakesNoServerAway) {
  says({{a("db.test", 30, 1)}});
  const auto one = watch();
  wait_for(1);
  std::chrono::milliseconds next = 30s;
  for (const int rcode : {static_cast<int>(ns_r_servfail), static_cast<int>(ns_r_nxdomain)}) {
    says(fake_reply::error(rcode));
    next_answer_after(std::exchange(next, limits::dns_retry));
    EXPECT_THAT(texts(*one), ElementsAre("10.0.0.1:5432"));
    EXPECT_THAT(one->problem(), HasSubstr("db.test"));
  }
  says({});  // the name is there, and has no address
  next_answer_after(limits::dns_retry);
  EXPECT_THAT(texts(*one), ElementsAre("10.0.0.1:5432"));
  EXPECT_GE(one->failures(), 3U);
  says({{a("db.test", 30, 2)}});
  next_answer_after(limits::dns_retry);
  EXPECT_THAT(texts(*one), ElementsAre("10.0.0.2:5432"));
  EXPECT_THAT(one->problem(), IsEmpty());
}

TEST_F(NameWatch, ThatThereIsNothingIsAnAnswerToo) {
  const auto one = watch();
  wait_for(1);
  EXPECT_TRUE(one->answered());
  EXPECT_THAT(texts(*one), IsEmpty());
  EXPECT_THAT(one->problem(), HasSubstr("db.test"));
  EXPECT_EQ(one->failures(), 1U);
}

TEST_F(NameWatch, AsksAtOnceWhereSomebodyCannotWait) {
  says({{a("db.test", 300, 1)}});
  const auto one = watch();
  wait_for(1);
  says({{a("db.test", 300, 2)}});
  one->ask_now();
  wait_for(2);
  EXPECT_THAT(texts(*one), ElementsAre("10.0.0.2:5432"));
}

TEST_F(NameWatch, FindsServices) {
  says({{net::test::srv("db.test", 30, 0, 0, 5433, "db-0.test")}});
  const auto one = watch(name_watch::record::services);
  wait_for(1);
  ASSERT_EQ(one->services().size(), 1U) << one->problem();
  EXPECT_EQ(one->services()[0].host, "db-0.test");
  EXPECT_EQ(one->services()[0].port, 5433);
  EXPECT_THAT(one->addresses(), IsEmpty());
}

TEST_F(NameWatch, MayGoWhileItLooksUp) {
  for (int i = 0; i < 20; ++i) {
    watch().reset();
    loop.settle();
  }
  EXPECT_EQ(changes, 0);
}

}  // namespace
}  // namespace trunkline::pool
