#include "k8s/request_store.h"

#include <gmock/gmock.h>

#include "grants/desk.h"
#include "k8s/access_request_text.h"
#include "k8s/fake_requests_api.h"
#include "k8s/request_cache.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using grants::change;
using grants::desk;
using grants::record;
using grants::state;
using grants::store_failure;
using testing::ElementsAre;
using testing::HasSubstr;

grants::question of_alice(std::string database = "app") {
  grants::question made;
  made.what = {.principal = "alice",
               .policy = "prod",
               .terms = "t",
               .route = "r",
               .database = std::move(database),
               .user = "a"};
  made.reason = "incident";
  made.rule.any_of = {"dba"};
  made.length = 1h;
  return made;
}

json says(const char* by, const char* decision, const char* reason = "") {
  return {{"by", by}, {"groups", {"dba"}}, {"decision", decision}, {"reason", reason}};
}

class request_stores : public testing::Test {
 protected:
  std::unique_ptr<request_store> open(const char* gateway = "trunkline") {
    auto made = std::make_unique<request_store>(api_.parts(log_, {gateway, "gateways"}));
    made->look_in({"*"});
    return made;
  }
  void SetUp() override {
    api_.let_answer("bob");
    api_.let_answer("carol");
  }
  grants::wall_time now() { return here_->now(); }
  record ask() { return *desk_.ask(of_alice(), now()); }
  std::string path() { return api_.requests().at(0); }
  json status() { return api_.get(path())["status"]; }
  void judge() { ASSERT_TRUE(desk_.judge(now())); }

  telemetry::logger log_{telemetry::log_format::text, telemetry::log_level::error};
  fake_requests_api api_;
  std::unique_ptr<request_store> here_ = open();
  std::unique_ptr<request_store> there_ = open();
  desk desk_{*here_, "a"};
  desk other_{*there_, "b"};
};

/// Another gateway's next write may be known before the answer to one's own.
TEST_F(request_stores, a_writer_is_told_what_it_has_written) {
  ask();
  const json open = api_.get(path());
  api_.answer(path(), says("bob", "Approve", "seen"));
  judge();
  const json active = api_.get(path());
  const auto known_of = [this] {
    return std::make_unique<request_cache>(request_scope{"trunkline", "gateways"}, [this] { return now(); });
  };
  const auto late = known_of();
  late->put(active);
  const auto mine = late->answered(open);
  ASSERT_TRUE(mine);
  EXPECT_EQ(mine->now, state::open);
  EXPECT_EQ(mine->version, 0);
  EXPECT_EQ(late->find(mine->id)->now, state::active);
  EXPECT_NE(known_of()->answered(open)->version, 0);
}

TEST_F(request_stores, an_answer_that_is_written_counts_once) {
  ask();
  api_.answer(path(), says("bob", "Approve", "seen"));
  judge();
  EXPECT_EQ(status()["state"], "Active");
  EXPECT_EQ(status()["answers"][0]["counted"], true);
  const auto version = api_.get(path())["metadata"]["resourceVersion"];
  ASSERT_TRUE(other_.judge(now()));
  judge();
  EXPECT_EQ(api_.get(path())["metadata"]["resourceVersion"], version);
  std::vector<change::kind> told;
  for (const change& each : desk_.take_changes())
    told.push_back(each.what);
  EXPECT_THAT(told, ElementsAre(change::kind::request, change::kind::approve, change::kind::grant));
  EXPECT_TRUE(other_.take_changes().empty());
}

TEST_F(request_stores, an_answer_that_does_not_count_says_why_and_is_not_judged_again) {
  ask();
  api_.answer(path(), says("mallory", "Approve"));
  api_.answer(path(), {{"by", "bob"}, {"decision", "Approve"}});
  api_.answer(path(), says("alice", "Revoke"));
  judge();
  EXPECT_EQ(status()["state"], "Open");
  ASSERT_EQ(status()["answers"].size(), 3u);
  EXPECT_THAT(status()["answers"][0]["message"], HasSubstr("RBAC does not let mallory"));
  EXPECT_THAT(status()["answers"][1]["message"], HasSubstr("the policy does not let you"));
  EXPECT_EQ(desk_.take_refused().size(), 3u);
  EXPECT_EQ(desk_.take_changes().size(), 1u);
  api_.let_answer("mallory");
  judge();
  EXPECT_EQ(status()["state"], "Open");
}

TEST_F(request_stores, answers_count_only_while_the_admission_policy_is_in_force) {
  const std::string admission = "/apis/admissionregistration.k8s.io/v1/";
  const std::string policy = admission + "validatingadmissionpolicies/" + admission_policy;
  const std::string binding = admission + "validatingadmissionpolicybindings/" + admission_policy;
  const std::vector<std::pair<std::string, json>> broken{
      {binding, {{"spec", {{"validationActions", {"Audit"}}}}}},
      {binding, {{"spec", {{"policyName", "another"}}}}},
      {binding, {{"spec", {{"matchResources", {{"namespaceSelector", {{"matchLabels", {{"a", "b"}}}}}}}}}}},
      {binding, {{"metadata", {{"creationTimestamp", "2999-01-01T00:00:00Z"}}}}},
      {policy, {{"spec", {{"failurePolicy", "Ignore"}}}}},
      {policy, {{"spec", {{"validations", json::array()}}}}},
      {policy, {{"spec", {{"matchConditions", {{{"name", "x"}}}}}}}},
      {policy, {{"spec", {{"matchConstraints", {{"resourceRules", json::array()}}}}}}},
      {policy, {{"metadata", {{"annotations", {{admission_version_key, "0"}}}}}}}};
  ask();
  for (const auto& [which, patch] : broken) {
    const json whole = api_.get(which);
    api_.change(which, [&](json& object) { object.merge_patch(patch); });
    api_.answer(path(), says("bob", "Approve", patch.dump().c_str()));
    judge();
    EXPECT_EQ(status()["state"], "Open") << patch;
    EXPECT_THAT(status()["answers"].back()["message"], HasSubstr("answers in objects do not count")) << patch;
    api_.change(which, [&](json& object) { object = whole; });
  }
  api_.remove(binding);
  api_.answer(path(), says("bob", "Approve"));
  judge();
  EXPECT_THAT(status()["answers"].back()["message"], HasSubstr("there is no"));
}

TEST_F(request_stores, nobody_approves_their_own_and_who_asked_withdraws) {
  ask();
  api_.let_answer("alice");
  api_.answer(path(), says("alice", "Approve"));
  judge();
  EXPECT_EQ(status()["state"], "Open");
  api_.answer(path(), says("alice", "Withdraw"));
  judge();
  EXPECT_EQ(status()["state"], "Withdrawn");
}

TEST_F(request_stores, a_rule_that_names_nobody_is_rbac_alone) {
  grants::question asked = of_alice();
  asked.rule.any_of.clear();
  ASSERT_TRUE(desk_.ask(asked, now()));
  api_.answer(path(), {{"by", "mallory"}, {"decision", "Approve"}});
  judge();
  EXPECT_EQ(status()["state"], "Open");
  api_.answer(path(), {{"by", "bob"}, {"decision", "Approve"}});
  judge();
  EXPECT_EQ(status()["state"], "Active");
  EXPECT_EQ(status()["approvals"][0]["as"][0], "RBAC");
  api_.answer(path(), {{"by", "carol"}, {"decision", "Revoke"}});
  judge();
  EXPECT_EQ(status()["state"], "Revoked");
}

TEST_F(request_stores, one_of_two_who_ask_at_once_finds_what_the_other_made) {
  api_.before_write([&] { ASSERT_TRUE(other_.ask(of_alice(), now())); });
  const record mine = ask();
  EXPECT_EQ(api_.requests().size(), 1u);
  EXPECT_EQ(mine.gateways.size(), 2u);
}

TEST_F(request_stores, storms_of_others_writes_come_to_an_end) {
  ask();
  api_.answer(path(), says("bob", "Approve"));
  int others = 20;
  std::function<void()> write = [&] {
    api_.change(path(), [](json& object) { object["metadata"]["labels"]["x"] = "y"; });
    if (--others > 0) api_.before_write(write);
  };
  api_.before_write(write);
  for (int i = 0; i < 20 && status()["state"] == "Open"; ++i)
    judge();
  EXPECT_EQ(status()["state"], "Active");
  EXPECT_EQ(status()["approvals"].size(), 1u);
}

TEST_F(request_stores, what_was_begun_and_not_finished_is_gone_on_with) {
  api_.before_write([&] { api_.before_write([&] { api_.go_down(true); }); });
  EXPECT_FALSE(desk_.ask(of_alice(), now()));
  api_.go_down(false);
  ASSERT_EQ(api_.requests().size(), 1u);
  EXPECT_FALSE(api_.get(path()).contains("status"));
  ASSERT_TRUE(other_.ask(of_alice(), now()));
  EXPECT_EQ(api_.requests().size(), 1u);
  EXPECT_EQ(status()["state"], "Open");
}

TEST_F(request_stores, what_was_begun_and_nobody_goes_on_with_is_given_up) {
  api_.before_write([&] { api_.before_write([&] { api_.go_down(true); }); });
  EXPECT_FALSE(desk_.ask(of_alice(), now()));
  api_.go_down(false);
  ASSERT_TRUE(here_->forget({}, 10));
  EXPECT_FALSE(api_.get(path()).contains("status"));
  api_.change(path(), [](json& object) { object["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"; });
  ASSERT_TRUE(here_->forget({}, 10));
  EXPECT_EQ(status()["state"], "Withdrawn");
}

TEST_F(request_stores, without_the_api_server_grants_are_known_and_nothing_is_new) {
  const record asked = ask();
  api_.answer(path(), says("bob", "Approve"));
  judge();
  api_.go_down(true);
  EXPECT_NE(here_->problem(), "");
  EXPECT_EQ(desk_.ask(of_alice(), now())->id, asked.id);
  EXPECT_EQ(desk_.ask(of_alice("other"), now()).error().what, grants::refusal::kind::unavailable);
  EXPECT_FALSE(desk_.sweep(now() + 2h));
  api_.go_down(false);
  ASSERT_TRUE(desk_.sweep(now() + 2h));
  EXPECT_EQ(here_->problem(), "");
  EXPECT_EQ(status()["state"], "Expired");
}

TEST_F(request_stores, a_gateway_that_has_listed_nothing_lets_nobody_in) {
  api_.go_down(true);
  const auto late = open();
  EXPECT_EQ(late->find_live(of_alice().what).error().what, store_failure::kind::busy);
  EXPECT_FALSE(late->create({}));
  EXPECT_FALSE(late->live());
}

TEST_F(request_stores, a_request_that_is_deleted_ends_and_one_gateway_tells) {
  const record asked = ask();
  api_.answer(path(), says("bob", "Approve"));
  judge();
  ASSERT_TRUE(desk_.tell_alive(now() + 20s));
  ASSERT_TRUE(other_.tell_alive(now() + 20s));
  ASSERT_TRUE(other_.refresh(now()));
  ASSERT_TRUE(desk_.refresh(now()));
  desk_.take_changes();
  api_.remove(path());
  const auto seen = desk_.refresh(now());
  ASSERT_EQ(seen->size(), 1u);
  EXPECT_EQ(seen->front().id, asked.id);
  EXPECT_EQ(seen->front().now, state::revoked);
  ASSERT_TRUE(other_.refresh(now()));
  EXPECT_EQ(desk_.take_changes().size(), 1u);
  EXPECT_EQ(other_.take_changes().size(), 0u);
  EXPECT_EQ(desk_.active_grants(), 0u);
  EXPECT_NE(desk_.ask(of_alice(), now())->id, asked.id);
}

TEST_F(request_stores, nonsense_takes_a_grant_away_and_is_told) {
  ask();
  api_.answer(path(), says("bob", "Approve"));
  judge();
  ASSERT_TRUE(desk_.refresh(now()));
  api_.change(path(), [](json& object) { object["status"]["until"] = 7; });
  EXPECT_EQ(desk_.refresh(now())->back().now, state::revoked);
  EXPECT_FALSE(here_->find_live(of_alice().what)->has_value());
}

TEST_F(request_stores, a_name_that_somebody_else_has_taken_is_passed_by) {
  const std::string base = object_base(of_alice().what, {"trunkline", "gateways"});
  api_.create("gateways", base + "-1", {{"principal", "mallory"}, {"route", "x"}, {"database", "y"}});
  EXPECT_EQ(ask().now, state::open);
  EXPECT_EQ(api_.requests().size(), 2u);
}

TEST_F(request_stores, what_people_put_there_becomes_a_request_once) {
  api_.create("gateways", "mine", {{"principal", "alice"}, {"route", "r"}, {"database", "app"}});
  auto wishes = here_->wishes();
  ASSERT_EQ(wishes->size(), 1u);
  auto asked = of_alice();
  asked.place = wishes->front().place;
  asked.by_hand = true;
  ASSERT_TRUE(desk_.ask(asked, now()));
  EXPECT_TRUE(there_->wishes()->empty());
  EXPECT_EQ(status()["state"], "Open");
  EXPECT_EQ(ask().place, "gateways/mine");
  api_.create("gateways", "again", {{"principal", "alice"}, {"route", "r"}, {"database", "app"}});
  asked.place = "gateways/again";
  const auto twice = desk_.ask(asked, now());
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().what, grants::refusal::kind::wrong_state);
  ASSERT_TRUE(here_->refuse(here_->wishes()->front(), twice.error().message));
  EXPECT_TRUE(here_->wishes()->empty());
}

TEST_F(request_stores, two_gateways_that_look_at_what_people_put_there_make_one_request) {
  api_.create("gateways", "mine", {{"principal", "alice"}, {"route", "r"}, {"database", "app"}});
  const auto seen = *here_->wishes();
  auto asked = of_alice();
  asked.place = seen.at(0).place;
  asked.by_hand = true;
  api_.before_write([&] { ASSERT_TRUE(other_.ask(asked, now())); });
  const auto mine = desk_.ask(asked, now());
  ASSERT_TRUE(mine) << mine.error().message;
  EXPECT_EQ(mine->place, "gateways/mine");
  // Who has looked at it before that must not refuse it.
  ASSERT_TRUE(here_->refuse(seen.at(0), "is for the same"));
  EXPECT_EQ(status()["state"], "Open");
  EXPECT_EQ(api_.requests().size(), 1u);
}

TEST_F(request_stores, what_people_put_there_without_the_policy_is_refused) {
  api_.remove(std::string("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/") +
              admission_policy);
  api_.create("gateways", "mine", {{"principal", "alice"}, {"route", "r"}, {"database", "app"}});
  EXPECT_TRUE(here_->wishes()->empty());
  EXPECT_EQ(status()["state"], "Denied");
}

TEST_F(request_stores, gateways_of_another_name_have_requests_of_their_own) {
  const auto stranger = open("other");
  desk elsewhere(*stranger, "c");
  const record mine = ask();
  const auto theirs = elsewhere.ask(of_alice(), now());
  ASSERT_TRUE(theirs);
  EXPECT_NE(theirs->id, mine.id);
  EXPECT_EQ(here_->live()->size(), 1u);
}

TEST_F(request_stores, names_that_are_no_text_are_refused) {
  auto asked = of_alice();
  asked.what.user = "a\xff";
  EXPECT_EQ(desk_.ask(asked, now()).error().what, grants::refusal::kind::not_allowed);
  EXPECT_TRUE(api_.requests().empty());
}

TEST_F(request_stores, forgets_what_ended_long_ago_and_leases_of_gateways_that_are_gone) {
  ask();
  ASSERT_TRUE(desk_.tell_alive(now() + 20s));
  ASSERT_TRUE(desk_.sweep(now() + 2h));
  EXPECT_EQ(here_->forget({}, 10).value(), 0u);
  EXPECT_EQ(here_->forget(now() + 3h, 10).value(), 1u);
  EXPECT_TRUE(api_.requests().empty());
  const std::string lease = "/apis/coordination.k8s.io/v1/namespaces/gateways/leases/trunkline-trunkline-a";
  EXPECT_TRUE(here_->alive(now())->contains("a"));
  api_.change(lease, [](json& object) { object["spec"]["renewTime"] = "2020-01-01T00:00:00.000000Z"; });
  EXPECT_FALSE(here_->alive(now())->contains("a"));
  ASSERT_TRUE(here_->forget({}, 10));
  EXPECT_THROW(api_.get(lease), std::exception);
  // It comes back when its gateway does: the first time it is told that it is gone.
  ASSERT_TRUE(desk_.tell_alive(now() + 20s));
  ASSERT_TRUE(desk_.tell_alive(now() + 20s));
  EXPECT_TRUE(here_->alive(now())->contains("a"));
}

}  // namespace
}  // namespace trunkline::k8s
