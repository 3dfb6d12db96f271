#include "pool/login_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/simulated_loop.h"
#include "runtime/task.h"

namespace trunkline::pool {
namespace {

using testing::ElementsAre;

/// A login that waits for its turn as sessions do, and keeps it until it is told how it went.
class guest {
 public:
  guest(login_line& line, runtime::simulated_loop& loop) : changed_(loop), work_(wait(this, &line, &loop)) {
    work_.start([](void*) {}, nullptr);
  }
  bool has_turn() const { return static_cast<bool>(turn_); }
  void worked() { turn_.worked(); }
  void failed() { turn_.failed(); }
  void drop() { turn_ = {}; }

 private:
  static runtime::task<> wait(guest* self, login_line* line, runtime::loop* loop) {
    login_line::place place(*line, *loop, self->changed_);
    while (!(self->turn_ = place.take()))
      co_await self->changed_.wait();
    EXPECT_FALSE(place.take()) << "one place, one turn";
  }

  runtime::signal changed_;
  login_line::turn turn_;
  runtime::task<> work_;
};

class LoginLine : public testing::Test {
 protected:
  void come(int many = 1) {
    for (int i = 0; i < many; ++i)
      guests.push_back(std::make_unique<guest>(line, loop));
    loop.settle();
  }
  /// Which guests have their turn.
  std::vector<std::size_t> now() {
    loop.settle();
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < guests.size(); ++i) {
      if (guests[i] != nullptr && guests[i]->has_turn()) all.push_back(i);
    }
    return all;
  }

  runtime::simulated_loop loop;
  login_line line{3};
  std::vector<std::unique_ptr<guest>> guests;
};

TEST_F(LoginLine, SoManyAtATimeInTheOrderOfComing) {
  come(6);
  EXPECT_THAT(now(), ElementsAre(0, 1, 2));
  EXPECT_EQ(line.under_way(), 3U);
  EXPECT_EQ(line.waiting(), 3U);
  guests[1]->worked();
  EXPECT_THAT(now(), ElementsAre(0, 2, 3));
  guests[0]->drop();
  EXPECT_THAT(now(), ElementsAre(2, 3, 4));
  come();
  EXPECT_THAT(now(), ElementsAre(2, 3, 4)) << "nobody comes before those who wait";
  guests[4]->worked();
  guests[3]->worked();
  EXPECT_THAT(now(), ElementsAre(2, 5, 6));
  guests.clear();
  EXPECT_EQ(line.under_way(), 0U);
  EXPECT_EQ(line.waiting(), 0U);
}

TEST_F(LoginLine, WhereThereIsRoomNobodyWaitsForTheLoop) {
  runtime::signal changed(loop);
  login_line::place place(line, loop, changed);
  const auto turn = place.take();
  EXPECT_TRUE(turn);
  EXPECT_EQ(line.under_way(), 1U);
}

TEST_F(LoginLine, WhoLeavesWhileWaitingLosesNobodyElsesPlace) {
  come(6);
  guests[3].reset();
  EXPECT_EQ(line.waiting(), 2U);
  guests[0]->worked();
  EXPECT_THAT(now(), ElementsAre(1, 2, 4));
}

TEST_F(LoginLine, WhoLeavesWhenItsTurnHasJustComeHandsItOn) {
  come(6);
  guests[0]->worked();  // the fourth is being woken
  guests[3].reset();    // and goes without having heard
  EXPECT_THAT(now(), ElementsAre(1, 2, 4));
  EXPECT_EQ(line.under_way(), 3U);
}

TEST_F(LoginLine, ATurnMayBeMoved) {
  runtime::signal changed(loop);
  login_line::place place(line, loop, changed);
  auto first = place.take();
  login_line::turn second = std::move(first);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(line.under_way(), 1U);
  second.worked();
  EXPECT_FALSE(second);
  second.failed();  // it has been told already
  EXPECT_EQ(line.under_way(), 0U);
}

TEST_F(LoginLine, AServerThatFailsGetsHalfAndOneMoreWithEachThatWorks) {
  line.set_limit(8);
  come(40);
  const auto one = [&](auto how) { ((*guests[now().front()]).*how)(); };
  ASSERT_EQ(now().size(), 8U);
  one(&guest::failed);
  for (int i = 0; i < 3; ++i)
    one(&guest::drop);  // neither well nor badly
  EXPECT_EQ(now().size(), 4U);
  one(&guest::failed);
  one(&guest::failed);
  one(&guest::failed);
  EXPECT_EQ(now().size(), 1U) << "down to one";
  one(&guest::failed);
  EXPECT_EQ(now().size(), 1U) << "and never to none";
  for (std::size_t allowed = 2; allowed <= 8; ++allowed) {
    one(&guest::worked);
    EXPECT_EQ(now().size(), allowed);
  }
  one(&guest::worked);
  EXPECT_EQ(now().size(), 8U) << "the limit stays";
}

TEST_F(LoginLine, AServerThatHasJustComeUpBeginsWithOne) {
  line.begin_slowly();
  come(20);
  EXPECT_THAT(now(), ElementsAre(0));
  guests[0]->worked();
  EXPECT_THAT(now(), ElementsAre(1, 2));
  guests[1]->worked();
  EXPECT_THAT(now(), ElementsAre(2, 3, 4));
  line.begin_slowly();
  guests[2]->drop();
  guests[3]->drop();
  EXPECT_THAT(now(), ElementsAre(4));
}

TEST_F(LoginLine, ALimitMayChange) {
  come(8);
  line.set_limit(5);
  EXPECT_THAT(now(), ElementsAre(0, 1, 2, 3, 4));
  line.set_limit(2);
  EXPECT_EQ(now().size(), 5U) << "who is there stays";
  for (const std::size_t i : {0, 1, 2})
    guests[i]->worked();
  EXPECT_THAT(now(), ElementsAre(3, 4));
  guests[3]->worked();
  EXPECT_THAT(now(), ElementsAre(4, 5));
  // What a failing server was cut down to is not given back by a reload.
  guests[4]->failed();
  EXPECT_THAT(now(), ElementsAre(5));
  line.set_limit(10);
  EXPECT_THAT(now(), ElementsAre(5));
}

TEST_F(LoginLine, IsSharedByManyThreads) {
  std::atomic<int> at_once{0};
  std::atomic<int> most{0};
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      runtime::simulated_loop own;
      for (int i = 0; i < 200; ++i) {
        guest one(line, own);
        while (!one.has_turn())
          own.settle();
        const int with_me = ++at_once;
        int before = most;
        while (before < with_me && !most.compare_exchange_weak(before, with_me)) {
        }
        --at_once;
        one.worked();
        ++done;
      }
    });
  }
  for (auto& each : threads)
    each.join();
  EXPECT_EQ(done, 800);
  EXPECT_LE(most, 3);
  EXPECT_EQ(line.under_way(), 0U);
  EXPECT_EQ(line.waiting(), 0U);
}

/// How many may be under way, by the rules alone.
struct plain_line {
  std::size_t limit;
  std::size_t allowed = limit;

  void failed() { allowed = allowed > 1 ? allowed / 2 : 1; }
  void worked() { allowed = allowed < limit ? allowed + 1 : limit; }
  void set_limit(std::size_t to) {
    allowed = allowed == limit || allowed > to ? to : allowed;
    limit = to;
  }
};

enum class step : std::uint8_t { come, settle, leave, work, fail, drop, limit, slow };

RC_GTEST_PROP(LoginLineProperty, NoPlaceIsEverLost, ()) {
  runtime::simulated_loop loop;
  plain_line plain{*rc::gen::inRange<std::size_t>(1, 6)};
  login_line line(plain.limit);
  std::deque<std::unique_ptr<guest>> guests;  // in the order of coming
  const auto some = [&](bool with_turn) -> std::unique_ptr<guest>* {
    std::vector<std::unique_ptr<guest>*> those;
    for (auto& each : guests) {
      if (each->has_turn() == with_turn) those.push_back(&each);
    }
    return those.empty() ? nullptr : those[*rc::gen::inRange<std::size_t>(0, those.size())];
  };
  const auto gone = [&](std::unique_ptr<guest>* which) {
    guests.erase(std::find(guests.begin(), guests.end(), *which));
  };
  const auto steps =
      *rc::gen::container<std::vector<step>>(rc::gen::weightedElement<step>({{8, step::come},
                                                                             {6, step::settle},
                                                                             {2, step::leave},
                                                                             {4, step::work},
                                                                             {2, step::fail},
                                                                             {2, step::drop},
                                                                             {1, step::limit},
                                                                             {1, step::slow}}));
  for (const step each : steps) {
    std::unique_ptr<guest>* who = some(each != step::leave);
    if (each == step::come) guests.push_back(std::make_unique<guest>(line, loop));
    if (each == step::leave && who != nullptr) gone(who);
    if (each == step::work && who != nullptr) {
      (*who)->worked();
      plain.worked();
      gone(who);
    }
    if (each == step::fail && who != nullptr) {
      (*who)->failed();
      plain.failed();
      gone(who);
    }
    if (each == step::drop && who != nullptr) gone(who);
    if (each == step::slow) {
      line.begin_slowly();
      plain.allowed = 1;
    }
    if (each == step::limit) {
      const auto to = *rc::gen::inRange<std::size_t>(1, 6);
      line.set_limit(to);
      plain.set_limit(to);
    }
    RC_ASSERT(line.waiting() + line.under_way() == guests.size());
    if (each != step::settle) continue;
    loop.settle();
    const auto first_waiting =
        std::find_if(guests.begin(), guests.end(), [](const auto& one) { return !one->has_turn(); });
    RC_ASSERT(std::none_of(first_waiting, guests.end(), [](const auto& one) { return one->has_turn(); }));
    RC_ASSERT(line.waiting() == static_cast<std::size_t>(guests.end() - first_waiting));
    RC_ASSERT(line.waiting() == 0 || line.under_way() >= plain.allowed);
  }
  // However it went, everybody who stays gets a turn.
  while (!guests.empty()) {
    loop.settle();
    RC_ASSERT(guests.front()->has_turn());
    guests.pop_front();
  }
  RC_ASSERT(line.under_way() == 0U);
}

}  // namespace
}  // namespace trunkline::pool
