// What an office does on whatever store: tests that each room with a store runs on its own.
#pragma once

#include <gmock/gmock.h>

#include <latch>

#include "grants/office.h"
#include "grants/test_support.h"

namespace trunkline::grants::office_contract {

using namespace std::chrono_literals;
using testing::HasSubstr;

inline question of_alice(std::chrono::milliseconds length = 1h) {
  question made;
  made.what = {
      .principal = "alice", .policy = "prod", .terms = "t", .route = "r", .database = "app", .user = "a"};
  made.reason = "incident";
  made.rule.any_of = {"dba"};
  made.rule.wait = 1min;
  made.length = length;
  return made;
}

inline const person bob{.principal = "bob", .groups = {"dba"}};

/// Waits for a fact; fails after ten seconds.
template <class Fact>
bool comes(Fact&& fact) {
  const auto until = std::chrono::steady_clock::now() + 10s;
  std::mutex mutex;
  std::condition_variable never;
  std::unique_lock lock(mutex);
  while (!fact()) {
    if (std::chrono::steady_clock::now() > until) return false;
    never.wait_for(lock, 5ms);
  }
  return true;
}

inline bool is(const stay& of, state what) {
  const auto now = of.now();
  return now.of && now.of->now == what;
}

class offices : public testing::TestWithParam<store_place_maker> {
 protected:
  std::unique_ptr<office> open(std::string name) {
    return std::make_unique<office>(office::parts{.kept = place_->open(),
                                                  .gateway = std::move(name),
                                                  .tell = [this](const change& what) { note(what); },
                                                  .log = log_,
                                                  .grant_over = [this](const record& of) { over(of); }});
  }
  void note(const change& what) {
    std::lock_guard lock(mutex_);
    told_.push_back(what.what);
  }
  void over(const record& of) {
    std::lock_guard lock(mutex_);
    over_.emplace_back(of.id, watched_ == nullptr || !is(*watched_, state::active));
  }
  std::size_t times_told(change::kind what) {
    std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(told_.begin(), told_.end(), what));
  }
  static answer<record> approve(office& at, std::int64_t id) {
    return at.call<record>([id](desk& of, wall_time now) { return of.approve(id, bob, "", 0ms, now); });
  }

  std::unique_ptr<store_place> place_ = GetParam()();
  telemetry::logger log_{telemetry::log_format::text, telemetry::log_level::error};
  std::mutex mutex_;
  std::vector<change::kind> told_;
  stay* watched_ = nullptr;
  std::vector<std::pair<std::int64_t, bool>> over_;  // which grant, and whether the watched session knew
};

TEST_P(offices, whoever_ended_a_grant_its_gateways_are_told_when_its_sessions_know) {
  const auto here = open("a");
  const auto there = open("b");
  const auto waits = here->ask(of_alice(), {});
  ASSERT_TRUE(comes([&] { return is(*waits, state::open); }));
  const auto id = waits->now().of->id;
  ASSERT_TRUE(approve(*there, id));
  ASSERT_TRUE(comes([&] { return is(*waits, state::active); }));
  {
    std::lock_guard lock(mutex_);
    EXPECT_TRUE(over_.empty());
    watched_ = waits.get();
  }
  ASSERT_TRUE(here->call<record>([id](desk& of, wall_time now) {
    return of.revoke(id, {.principal = "x", .administrator = true}, "", now);
  }));
  const auto both = [&] {
    std::lock_guard lock(mutex_);
    return over_.size() == 2;
  };
  EXPECT_TRUE(comes(both));
  std::lock_guard lock(mutex_);
  EXPECT_EQ(over_.front().first, id);
  // The other gateway may look before this one does; here the session knows before anybody is told.
  EXPECT_TRUE(std::any_of(over_.begin(), over_.end(), [](const auto& each) { return each.second; }));
  watched_ = nullptr;
}

TEST_P(offices, who_waits_hears_of_what_another_gateway_decides) {
  const auto here = open("a");
  const auto there = open("b");
  std::atomic<int> heard = 0;
  const auto waits = here->ask(of_alice(), [&] { ++heard; });
  ASSERT_TRUE(comes([&] { return is(*waits, state::open); }));
  const auto id = waits->now().of->id;
  const auto began = std::chrono::steady_clock::now();
  ASSERT_TRUE(approve(*there, id));
  ASSERT_TRUE(comes([&] { return is(*waits, state::active); }));
  EXPECT_LT(std::chrono::steady_clock::now() - began, 1s);
  EXPECT_GE(heard.load(), 2);
  ASSERT_TRUE(here->call<record>([id](desk& of, wall_time now) {
    return of.revoke(id, {.principal = "x", .administrator = true}, "", now);
  }));
  ASSERT_TRUE(comes([&] { return is(*waits, state::revoked); }));
}

TEST_P(offices, the_clock_ends_a_grant_and_one_gateway_tells_of_it) {
  const auto here = open("a");
  const auto there = open("b");
  const auto waits = here->ask(of_alice(300ms), {});
  const auto also = there->ask(of_alice(300ms), {});
  ASSERT_TRUE(comes([&] { return is(*waits, state::open) && is(*also, state::open); }));
  ASSERT_TRUE(approve(*here, waits->now().of->id));
  ASSERT_TRUE(comes([&] { return is(*waits, state::expired) && is(*also, state::expired); }));
  EXPECT_TRUE(comes([&] { return times_told(change::kind::expire) == 1; }));
  EXPECT_EQ(times_told(change::kind::request), 1u);
}

TEST_P(offices, a_session_that_leaves_withdraws_unless_its_gateway_leaves) {
  const auto here = open("a");
  auto waits = here->ask(of_alice(), {});
  ASSERT_TRUE(comes([&] { return is(*waits, state::open); }));
  waits.reset();
  ASSERT_TRUE(comes([&] { return times_told(change::kind::withdraw) == 1; }));
  waits = here->ask(of_alice(), {});
  ASSERT_TRUE(comes([&] { return is(*waits, state::open); }));
  here->begin_leaving();
  waits.reset();
  const auto left = here->call<std::vector<record>>(
      [](desk& of, wall_time now) { return of.list({.principal = "alice"}, true, now); });
  ASSERT_TRUE(left);
  EXPECT_EQ(left->size(), 1u);
}

TEST_P(offices, two_sessions_of_one_request_withdraw_it_together) {
  const auto here = open("a");
  auto one = here->ask(of_alice(), {});
  auto other = here->ask(of_alice(), {});
  ASSERT_TRUE(comes([&] { return is(*one, state::open) && is(*other, state::open); }));
  EXPECT_EQ(one->now().of->id, other->now().of->id);
  one.reset();
  const auto still = here->call<record>([&](desk& of, wall_time now) { return of.ask(of_alice(), now); });
  ASSERT_TRUE(still);
  EXPECT_EQ(still->now, state::open);
  other.reset();
  EXPECT_TRUE(comes([&] { return times_told(change::kind::withdraw) == 1; }));
}

TEST_P(offices, many_approvals_at_once_from_two_gateways_make_one_grant) {
  const auto here = open("a");
  const auto there = open("b");
  auto asked = of_alice();
  asked.rule.count = 6;
  const auto waits = here->ask(asked, {});
  ASSERT_TRUE(comes([&] { return is(*waits, state::open); }));
  const auto id = waits->now().of->id;
  std::latch start(8);
  std::vector<runtime::owned_thread> people;
  for (int i = 0; i < 8; ++i) {
    people.emplace_back("person", [&, i] {
      const person who{.principal = "p" + std::to_string(i), .groups = {"dba"}};
      start.arrive_and_wait();
      (void)(i % 2 == 0 ? *here : *there).call<record>([=](desk& of, wall_time now) {
        return of.approve(id, who, "", 0ms, now);
      });
    });
  }
  people.clear();
  ASSERT_TRUE(comes([&] { return is(*waits, state::active); }));
  EXPECT_EQ(waits->now().of->approvals.size(), 6u);
  EXPECT_TRUE(comes([&] { return times_told(change::kind::grant) == 1; }));
}

TEST_P(offices, a_question_that_is_refused_says_why) {
  const auto here = open("a");
  auto silent = of_alice();
  silent.reason = "";
  const auto waits = here->ask(silent, {});
  ASSERT_TRUE(comes([&] { return waits->now().why.has_value(); }));
  EXPECT_THAT(waits->now().why->message, HasSubstr("reason"));
  EXPECT_EQ(here->seen().refused, 1u);
}

}  // namespace trunkline::grants::office_contract
