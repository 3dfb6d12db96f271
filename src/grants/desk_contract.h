// What a desk does on whatever store: tests that each room with a store runs on its own.
#pragma once

#include <gmock/gmock.h>

#include <memory>

#include "grants/desk.h"
#include "grants/test_support.h"

namespace trunkline::grants::desk_contract {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

inline constexpr wall_time noon{std::chrono::milliseconds(1'800'000'000'000)};

inline config::access_approval one_of(std::vector<std::string> groups) {
  config::access_approval made;
  made.any_of = std::move(groups);
  return made;
}

inline question of_alice(std::string database = "app", config::access_approval rule = one_of({"dba"})) {
  return {.what = {.principal = "alice",
                   .policy = "prod",
                   .terms = "write",
                   .route = "r",
                   .database = database,
                   .user = "alice"},
          .groups = {"dev"},
          .client = "10.0.0.1:1",
          .reason = "incident 7",
          .rule = std::move(rule),
          .length = 1h};
}

inline const person bob{.principal = "bob", .groups = {"dba"}};
inline const person carol{.principal = "carol", .groups = {"leads", "dba"}};
inline const person alice{.principal = "alice", .groups = {"dba", "oncall"}};
inline const person root{.principal = "root", .administrator = true};

inline std::vector<change::kind> kinds(const std::vector<change>& of) {
  std::vector<change::kind> made;
  for (const auto& each : of)
    made.push_back(each.what);
  return made;
}

class desks : public testing::TestWithParam<store_place_maker> {
 protected:
  void SetUp() override { ASSERT_TRUE(here_.begin()); }
  void reopen() {
    here_store_ = place_->open();
    here_.~desk();
    new (&here_) desk(*here_store_, "a");
    ASSERT_TRUE(here_.begin());
  }
  state now_of(std::int64_t id) { return here_store_->find(id)->value().now; }

  std::unique_ptr<store_place> place_ = GetParam()();
  std::unique_ptr<store> here_store_ = place_->open();
  std::unique_ptr<store> there_store_ = place_->open();
  desk here_{*here_store_, "a"};
  desk there_{*there_store_, "b"};
};

TEST_P(desks, a_request_is_approved_and_the_grant_ends_by_the_clock) {
  const auto asked = here_.ask(of_alice(), noon);
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->now, state::open);
  EXPECT_EQ(asked->answer_by, noon + 30min);
  const auto granted = here_.approve(asked->id, bob, "go", 0ms, noon + 1min);
  ASSERT_TRUE(granted);
  EXPECT_EQ(granted->now, state::active);
  EXPECT_EQ(granted->until, noon + 1h + 1min);
  EXPECT_EQ(here_.active_grants(), 1u);
  ASSERT_TRUE(here_.sweep(noon + 1h));
  EXPECT_EQ(now_of(asked->id), state::active);
  EXPECT_EQ(here_.next_due(), noon + 1h + 1min);
  ASSERT_TRUE(here_.sweep(noon + 1h + 1min));
  EXPECT_EQ(now_of(asked->id), state::expired);
  EXPECT_THAT(kinds(here_.take_changes()), ElementsAre(change::kind::request, change::kind::approve,
                                                       change::kind::grant, change::kind::expire));
  EXPECT_EQ(here_.active_grants(), 0u);
}

TEST_P(desks, a_clock_that_goes_back_does_not_revive_what_has_expired) {
  const auto asked = here_.ask(of_alice(), noon);
  ASSERT_TRUE(here_.approve(asked->id, bob, "", 0ms, noon));
  ASSERT_TRUE(here_.sweep(noon + 2h));
  const auto again = here_.ask(of_alice(), noon + 1min);
  ASSERT_TRUE(again);
  EXPECT_NE(again->id, asked->id);
  EXPECT_EQ(again->now, state::open);
}

TEST_P(desks, who_comes_again_joins_the_open_request_and_then_the_grant) {
  const auto first = here_.ask(of_alice(), noon);
  const auto second = here_.ask(of_alice(), noon + 1s);
  EXPECT_EQ(first->id, second->id);
  ASSERT_TRUE(here_.approve(first->id, bob, "", 0ms, noon + 2s));
  const auto third = here_.ask(of_alice(), noon + 3s);
  EXPECT_EQ(third->id, first->id);
  EXPECT_EQ(third->now, state::active);
}

TEST_P(desks, another_database_route_user_or_terms_is_another_request) {
  const auto first = here_.ask(of_alice(), noon);
  std::set<std::int64_t> ids{first->id};
  for (const auto member :
       {&subject::database, &subject::route, &subject::user, &subject::terms, &subject::policy}) {
    question other = of_alice();
    other.what.*member = "other";
    ids.insert(here_.ask(other, noon)->id);
  }
  EXPECT_EQ(ids.size(), 6u);
}

TEST_P(desks, nobody_approves_their_own_request_whatever_their_groups) {
  const auto asked = here_.ask(of_alice(), noon);
  const auto own = here_.approve(asked->id, alice, "please", 0ms, noon);
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().what, refusal::kind::not_allowed);
  const auto shouted =
      here_.approve(asked->id, {.principal = "ALICE", .groups = {"dba"}}, "please", 0ms, noon);
  ASSERT_FALSE(shouted);
  EXPECT_EQ(now_of(asked->id), state::open);
}

TEST_P(desks, who_is_not_in_the_rule_may_not_answer_and_an_administrator_may_deny_only) {
  const auto asked = here_.ask(of_alice(), noon);
  const person dave{.principal = "dave", .groups = {"dev"}};
  EXPECT_EQ(here_.approve(asked->id, dave, "", 0ms, noon).error().what, refusal::kind::not_allowed);
  EXPECT_EQ(here_.deny(asked->id, dave, "", noon).error().what, refusal::kind::not_allowed);
  EXPECT_EQ(here_.approve(asked->id, root, "", 0ms, noon).error().what, refusal::kind::not_allowed);
  ASSERT_TRUE(here_.deny(asked->id, root, "not now", noon));
  EXPECT_EQ(now_of(asked->id), state::denied);
}

TEST_P(desks, as_many_different_people_as_the_policy_wants) {
  auto rule = one_of({"dba"});
  rule.count = 2;
  const auto asked = here_.ask(of_alice("app", rule), noon);
  EXPECT_EQ(here_.approve(asked->id, bob, "", 0ms, noon)->now, state::open);
  EXPECT_EQ(here_.approve(asked->id, bob, "", 0ms, noon)->now, state::open);
  EXPECT_EQ(here_.approve(asked->id, {.principal = "BOB", .groups = {"dba"}}, "", 0ms, noon)->now,
            state::open);
  EXPECT_EQ(here_.approve(asked->id, carol, "", 0ms, noon)->now, state::active);
}

TEST_P(desks, one_of_each_group_that_the_policy_names) {
  config::access_approval rule;
  rule.all_of = {"dba", "leads"};
  const auto asked = here_.ask(of_alice("app", rule), noon);
  const auto first = here_.approve(asked->id, bob, "", 0ms, noon);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->now, state::open);
  EXPECT_EQ(here_.approve(asked->id, carol, "", 0ms, noon)->now, state::active);
}

TEST_P(desks, break_glass_needs_a_reason_and_is_marked) {
  auto rule = one_of({"dba"});
  rule.break_glass = {"oncall"};
  const auto asked = here_.ask(of_alice("app", rule), noon);
  const auto silent = here_.approve(asked->id, alice, "", 0ms, noon);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().what, refusal::kind::invalid);
  const auto loud = here_.approve(asked->id, alice, "the site is down", 0ms, noon);
  ASSERT_TRUE(loud);
  EXPECT_EQ(loud->now, state::active);
  EXPECT_TRUE(loud->break_glass);
}

TEST_P(desks, an_approver_may_shorten_and_never_lengthen) {
  const auto asked = here_.ask(of_alice(), noon);
  EXPECT_EQ(here_.approve(asked->id, bob, "", 10min, noon)->until, noon + 10min);
  const auto other = here_.ask(of_alice("b"), noon);
  EXPECT_EQ(here_.approve(other->id, bob, "", 10h, noon)->until, noon + 1h);
}

TEST_P(desks, a_reason_is_needed_where_the_policy_says_so) {
  question silent = of_alice();
  silent.reason = "";
  const auto refused = here_.ask(silent, noon);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().what, refusal::kind::invalid);
  silent.rule.reason = false;
  const auto asked = here_.ask(silent, noon);
  ASSERT_TRUE(asked);
  question reasoned = silent;
  reasoned.by_hand = true;
  reasoned.reason = "incident 9";
  EXPECT_EQ(here_.ask(reasoned, noon)->reason, "incident 9");
  reasoned.reason = "something else";
  EXPECT_EQ(here_.ask(reasoned, noon)->reason, "incident 9");
}

TEST_P(desks, a_request_that_nobody_answers_times_out) {
  const auto asked = here_.ask(of_alice(), noon);
  const auto late = here_.approve(asked->id, bob, "", 0ms, noon + 30min);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().what, refusal::kind::wrong_state);
  EXPECT_THAT(late.error().message, HasSubstr("timed_out"));
  EXPECT_EQ(now_of(asked->id), state::timed_out);
}

TEST_P(desks, the_last_who_waits_anywhere_withdraws_it) {
  const auto asked = here_.ask(of_alice(), noon);
  ASSERT_TRUE(there_.begin());
  ASSERT_TRUE(there_.tell_alive(noon + 20s));
  ASSERT_TRUE(there_.ask(of_alice(), noon));
  ASSERT_TRUE(here_.leave(asked->id, false, noon + 1s));
  EXPECT_EQ(now_of(asked->id), state::open);
  ASSERT_TRUE(there_.leave(asked->id, false, noon + 2s));
  EXPECT_EQ(now_of(asked->id), state::withdrawn);
}

TEST_P(desks, who_waits_at_a_gateway_that_is_gone_does_not_count) {
  ASSERT_TRUE(there_.begin());
  ASSERT_TRUE(there_.tell_alive(noon + 20s));
  const auto asked = there_.ask(of_alice(), noon);
  ASSERT_TRUE(here_.ask(of_alice(), noon));
  ASSERT_TRUE(here_.leave(asked->id, false, noon + 21s));
  EXPECT_EQ(now_of(asked->id), state::withdrawn);
}

TEST_P(desks, what_was_asked_by_hand_or_at_a_gateway_that_restarts_stays_open) {
  question by_hand = of_alice();
  by_hand.by_hand = true;
  const auto asked = here_.ask(by_hand, noon);
  ASSERT_TRUE(here_.ask(of_alice(), noon));
  ASSERT_TRUE(here_.leave(asked->id, false, noon));
  EXPECT_EQ(now_of(asked->id), state::open);
  const auto other = here_.ask(of_alice("b"), noon);
  ASSERT_TRUE(here_.leave(other->id, true, noon));
  EXPECT_EQ(now_of(other->id), state::open);
}

TEST_P(desks, only_who_asked_withdraws_and_who_may_see_it_revokes) {
  const auto asked = here_.ask(of_alice(), noon);
  EXPECT_EQ(here_.withdraw(asked->id, bob, noon).error().what, refusal::kind::not_allowed);
  ASSERT_TRUE(here_.approve(asked->id, bob, "", 0ms, noon));
  EXPECT_EQ(here_.withdraw(asked->id, alice, noon).error().what, refusal::kind::wrong_state);
  EXPECT_EQ(here_.revoke(asked->id, {.principal = "dave"}, "", noon).error().what,
            refusal::kind::not_allowed);
  ASSERT_TRUE(here_.revoke(asked->id, root, "enough", noon));
  EXPECT_EQ(now_of(asked->id), state::revoked);
  EXPECT_EQ(here_.revoke(asked->id, root, "", noon).error().what, refusal::kind::wrong_state);
  EXPECT_EQ(here_.revoke(99, root, "", noon).error().what, refusal::kind::not_found);
}

TEST_P(desks, too_many_open_requests_are_refused) {
  desk small(*here_store_, "c", {.open = 3, .open_of_principal = 2});
  ASSERT_TRUE(small.ask(of_alice("1"), noon));
  ASSERT_TRUE(small.ask(of_alice("2"), noon));
  EXPECT_EQ(small.ask(of_alice("3"), noon).error().what, refusal::kind::limit);
  question other = of_alice("1");
  other.what.principal = "bob";
  ASSERT_TRUE(small.ask(other, noon));
  other.what.principal = "carol";
  EXPECT_EQ(small.ask(other, noon).error().what, refusal::kind::limit);
  ASSERT_TRUE(small.sweep(noon + 1h));
  EXPECT_TRUE(small.ask(other, noon + 1h));
}

TEST_P(desks, two_answers_at_once_come_to_one_result) {
  const auto asked = here_.ask(of_alice(), noon);
  // Both have read it before either has written: the later one looks again.
  ASSERT_TRUE(there_.deny(asked->id, carol, "no", noon));
  const auto late = here_.approve(asked->id, bob, "yes", 0ms, noon);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().what, refusal::kind::wrong_state);
  EXPECT_EQ(now_of(asked->id), state::denied);
}

TEST_P(desks, what_another_gateway_does_is_seen) {
  ASSERT_TRUE(there_.begin());
  const auto asked = here_.ask(of_alice(), noon);
  EXPECT_EQ(there_.refresh(noon)->size(), 1u);
  EXPECT_EQ(there_.open_requests(), 1u);
  ASSERT_TRUE(there_.approve(asked->id, bob, "", 0ms, noon));
  const auto seen = here_.refresh(noon);
  ASSERT_FALSE(seen->empty());
  EXPECT_EQ(seen->back().now, state::active);
  EXPECT_EQ(here_.active_grants(), 1u);
  // Both sweep: one of them ends it, and tells.
  ASSERT_TRUE(here_.sweep(noon + 2h));
  ASSERT_TRUE(there_.sweep(noon + 2h));
  EXPECT_THAT(kinds(here_.take_changes()), ElementsAre(change::kind::request, change::kind::expire));
  EXPECT_THAT(kinds(there_.take_changes()), ElementsAre(change::kind::approve, change::kind::grant));
}

TEST_P(desks, what_is_read_on_the_way_is_still_told_of) {
  ASSERT_TRUE(there_.begin());
  const auto asked = here_.ask(of_alice(), noon);
  ASSERT_TRUE(there_.ask(of_alice("b"), noon));  // reads how many there are
  const auto seen = there_.refresh(noon);
  EXPECT_TRUE(
      std::any_of(seen->begin(), seen->end(), [&](const record& each) { return each.id == asked->id; }));
  EXPECT_TRUE(there_.refresh(noon)->empty());
}

TEST_P(desks, requests_and_grants_outlive_a_crash_with_their_ends) {
  const auto open_one = here_.ask(of_alice(), noon);
  const auto granted = here_.ask(of_alice("b"), noon);
  ASSERT_TRUE(here_.approve(granted->id, bob, "", 0ms, noon));
  reopen();  // without a word to the old one
  EXPECT_EQ(here_.open_requests(), 1u);
  EXPECT_EQ(here_.active_grants(), 1u);
  EXPECT_EQ(here_.ask(of_alice(), noon + 1s)->id, open_one->id);
  EXPECT_EQ(here_.ask(of_alice("b"), noon + 1s)->id, granted->id);
  // It ran out while nobody was there to see it.
  const auto later = here_.ask(of_alice("b"), noon + 2h);
  EXPECT_NE(later->id, granted->id);
  EXPECT_EQ(now_of(granted->id), state::expired);
}

TEST_P(desks, people_see_their_own_and_what_they_may_answer) {
  const auto asked = here_.ask(of_alice(), noon);
  EXPECT_EQ(here_.list(alice, true, noon)->size(), 1u);
  EXPECT_EQ(here_.list(bob, true, noon)->size(), 1u);
  EXPECT_EQ(here_.list(root, true, noon)->size(), 1u);
  EXPECT_EQ(here_.list({.principal = "dave", .groups = {"dev"}}, true, noon)->size(), 0u);
  ASSERT_TRUE(here_.deny(asked->id, bob, "", noon));
  EXPECT_EQ(here_.list(alice, true, noon)->size(), 0u);
  EXPECT_EQ(here_.list(alice, false, noon)->size(), 1u);
}

}  // namespace trunkline::grants::desk_contract
