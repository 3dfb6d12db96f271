#include "identity/access_case.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/limits_kubernetes.h"
#include "runtime/simulated_loop.h"
#include "runtime/task.h"

namespace trunkline::identity {
namespace {

using config::access_level;
using std::chrono::seconds;

const moment start{std::chrono::hours(1)};

struct scene {
  runtime::simulated_loop loop;
  runtime::signal changed{loop};
  std::shared_ptr<access_case> one = std::make_shared<access_case>(
      auth::identity{.principal = "app"}, config::rbac_object{.name_space = "prod", .name = "orders"});

  /// The next question about it begins; false: none is needed.
  bool begin(moment now) {
    std::optional<moment> waited;
    return one->begin(now, waited);
  }
  void answer(std::optional<access_level> level, moment now) {
    one->want(now, runtime::remote_wake(loop, changed).handle());
    EXPECT_TRUE(begin(now));
    one->answer({.level = level}, now);
  }
};

/// Counts how often it is told.
struct session {
  session(scene& in) : hold(in.one) {
    hold.listen(in.loop, [](void* self) { ++static_cast<session*>(self)->told; }, this);
  }
  access_hold hold;
  int told = 0;
};

TEST(AccessCase, AYesCountsLongerThanANo) {
  scene at;
  EXPECT_FALSE(at.one->look(start).fresh) << "nobody has been asked";
  at.answer(access_level::write, start);
  EXPECT_TRUE(at.one->look(start + limits::rbac_allowed_believed - seconds(1)).fresh);
  EXPECT_FALSE(at.one->look(start + limits::rbac_allowed_believed).fresh);
  EXPECT_EQ(at.one->look(start + seconds(60)).verdict.level, access_level::write);
  at.answer(std::nullopt, start);
  EXPECT_TRUE(at.one->look(start + limits::rbac_denied_believed - seconds(1)).fresh);
  EXPECT_FALSE(at.one->look(start + limits::rbac_denied_believed).fresh);
}

TEST(AccessCase, ThoseWhoWaitAreOneQuestion) {
  scene at;
  const runtime::remote_wake here(at.loop, at.changed);
  EXPECT_TRUE(at.one->want(start, here.handle()));
  EXPECT_FALSE(at.one->want(start + seconds(1), here.handle()));
  std::optional<moment> waited;
  EXPECT_TRUE(at.one->begin(start + seconds(2), waited));
  EXPECT_EQ(waited, start) << "who came first";
  EXPECT_FALSE(at.one->want(start + seconds(2), here.handle())) << "the answer is on its way";
  EXPECT_FALSE(at.begin(start + seconds(2)));
  const auto before = at.one->answers();
  at.one->answer({.level = access_level::read}, start + seconds(3));
  EXPECT_EQ(at.one->answers(), before + 1);
  EXPECT_FALSE(at.begin(start + seconds(3))) << "all have their answer";
}

TEST(AccessCase, WhoWaitsIsWoken) {
  scene at;
  int woken = 0;
  auto count = [](runtime::signal* changed, int* told) -> runtime::task<> {
    for (;;) {
      co_await changed->wait();
      ++*told;
    }
  };
  auto waits = count(&at.changed, &woken);
  waits.start([](void*) {}, nullptr);
  const runtime::remote_wake here(at.loop, at.changed);
  at.one->want(start, here.handle());
  at.begin(start);
  std::thread([&] { at.one->fail("it hangs"); }).join();
  at.loop.settle();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(at.one->look(start).problem, "it hangs");
  EXPECT_FALSE(at.one->look(start).fresh);
}

TEST(AccessCase, AFailureTakesNothingAway) {
  scene at;
  at.answer(access_level::admin, start);
  const session one(at);
  EXPECT_TRUE(at.one->want_again(start + seconds(10)));
  EXPECT_TRUE(at.begin(start + seconds(10)));
  at.one->fail("it hangs");
  at.loop.settle();
  EXPECT_EQ(one.told, 0);
  EXPECT_EQ(at.one->look(start + seconds(11)).verdict.level, access_level::admin);
  at.answer(access_level::admin, start + seconds(20));
  EXPECT_EQ(at.one->look(start + seconds(20)).problem, "");
}

TEST(AccessCase, OnlyThoseWhoAreThereAreAskedAboutAgain) {
  scene at;
  at.answer(access_level::read, start);
  EXPECT_FALSE(at.one->want_again(start + seconds(60))) << "nobody is";
  EXPECT_TRUE(at.one->is_over(start + seconds(60)));
  const session one(at);
  EXPECT_FALSE(at.one->is_over(start + seconds(60)));
  EXPECT_FALSE(at.one->want_again(start + limits::rbac_asked_again - seconds(1)));
  EXPECT_TRUE(at.one->want_again(start + limits::rbac_asked_again));
  EXPECT_FALSE(at.one->want_again(start + limits::rbac_asked_again)) << "it is seen to";
}

TEST(AccessCase, AShortGraceIsAskedForOften) {
  scene at;
  at.one =
      std::make_shared<access_case>(auth::identity{.principal = "app"},
                                    config::rbac_object{.name_space = "n", .name = "o", .grace = seconds(3)});
  at.answer(access_level::read, start);
  const session one(at);
  EXPECT_TRUE(at.one->want_again(start + seconds(1)));
  EXPECT_FALSE(at.one->look(start + seconds(3)).fresh) << "nobody comes in by what would send them away";
}

TEST(AccessCase, SessionsAreToldOfEachChangeOnTheirLoop) {
  scene at;
  at.answer(access_level::write, start);
  session one(at);
  {
    const session gone(at);
    at.answer(access_level::read, start + seconds(1));
    EXPECT_EQ(one.told, 0) << "not within the call";
  }
  at.loop.settle();
  EXPECT_EQ(one.told, 1);
  at.answer(access_level::read, start + seconds(2));
  at.loop.settle();
  EXPECT_EQ(one.told, 1) << "nothing new";
  at.answer(std::nullopt, start + seconds(3));
  at.loop.settle();
  EXPECT_EQ(one.told, 2);
}

TEST(AccessCase, SilenceIsBelievedForTheGraceTime) {
  scene at;
  at.answer(access_level::write, start);
  const session one(at);
  const auto end = start + at.one->route().grace;
  at.one->note_silence(end - seconds(1));
  EXPECT_FALSE(at.one->look(end - seconds(1)).lapsed);
  for (int again = 0; again < 3; ++again)
    at.one->note_silence(end);
  at.loop.settle();
  EXPECT_EQ(one.told, 1) << "once";
  EXPECT_TRUE(at.one->look(end).lapsed);
  at.answer(access_level::write, end + seconds(1));
  EXPECT_FALSE(at.one->look(end + seconds(1)).lapsed);
  at.one->note_silence(end + seconds(1) + at.one->route().grace);
  at.loop.settle();
  EXPECT_EQ(one.told, 2) << "it begins anew";
}

}  // namespace
}  // namespace trunkline::identity
