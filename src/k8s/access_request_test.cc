#include "k8s/access_request.h"

#include <gmock/gmock.h>

#include "grants/request_json.h"
#include "k8s/access_request_text.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using grants::record;
using grants::state;
using grants::wall_time;
using kind = access_request::kind;
using testing::HasSubstr;

const request_scope scope{"main", "gateways"};
constexpr wall_time noon{1'800'000'000'123ms};

record of_alice() {
  record made;
  made.what = {.principal = "alice@example.org",
               .policy = "prod",
               .terms = "t",
               .route = "all",
               .database = "app",
               .user = "app"};
  made.groups = {"dev"};
  made.client = "10.0.0.1:1";
  made.reason = "incident";
  made.role = "reader";
  made.rule.any_of = {"dba"};
  made.rule.all_of = {"leads"};
  made.rule.count = 2;
  made.rule.break_glass = {"oncall"};
  made.rule.reason = false;
  made.asked = noon;
  made.answer_by = noon + 30min;
  made.length = 300ms;
  made.gateways = {"a", "b"};
  made.approvals = {{.by = "bob", .when = noon + 1s, .reason = "why", .as = {"dba"}}};
  made.judged = {
      {.id = "i", .by = "bob", .what = grants::decision::deny, .when = noon, .counted = false, .why = "no"}};
  return made;
}

json object_of(const record& of, const std::string& name_space = "gateways") {
  return {{"metadata",
           {{"name", "alice-1"},
            {"namespace", name_space},
            {"uid", "u"},
            {"resourceVersion", "7"},
            {"generation", 3},
            {"creationTimestamp", "2027-01-15T08:00:00Z"}}},
          {"spec", spec_of(of, scope)},
          {"status", status_of(of, scope, 3)}};
}

/// As it is read back: with what the object is called.
record stored(record of) {
  of.id = request_number("u");
  of.place = "gateways/alice-1";
  of.object_id = "u";
  return of;
}

TEST(access_request, is_the_record_that_was_written) {
  record made = of_alice();
  EXPECT_EQ(read_access_request(object_of(made), scope).of, stored(made));
  made.now = state::active;
  made.from = noon + 2s;
  made.until = noon + 1h;
  made.break_glass = true;
  made.by_hand = true;
  EXPECT_EQ(read_access_request(object_of(made), scope).of, stored(made));
  made.now = state::revoked;
  made.over = noon + 3s;
  made.over_by = "carol";
  made.over_reason = "done";
  const auto read = read_access_request(object_of(made), scope);
  EXPECT_EQ(read.of, stored(made)) << read.problem;
  EXPECT_EQ(read.what, kind::record);
}

TEST(access_request, has_conditions_that_tell_the_story) {
  record made = of_alice();
  const auto is = [&](const char* type) {
    const json status = status_of(made, scope, 3);
    for (const json& each : status["conditions"])
      if (each["type"] == type)
        return each["status"].get<std::string>() + " " + each["reason"].get<std::string>();
    return std::string();
  };
  EXPECT_EQ(is("Approved"), "False Waiting");
  EXPECT_EQ(is("Ended"), "False GoesOn");
  made.now = state::active;
  made.from = noon;
  EXPECT_EQ(is("Approved"), "True Approved");
  EXPECT_EQ(is("Active"), "True Granted");
  made.now = state::expired;
  made.over = noon;
  EXPECT_EQ(is("Active"), "False Expired");
  EXPECT_EQ(is("Ended"), "True Expired");
  made.from = {};
  made.now = state::denied;
  EXPECT_EQ(is("Denied"), "True Denied");
  EXPECT_EQ(is("Approved"), "False Denied");
}

TEST(access_request, counts_for_routes_of_its_own_namespace_only) {
  record made = of_alice();
  EXPECT_EQ(read_access_request(object_of(made, "team"), scope).what, kind::bad);
  made.what.route = "team/all";
  EXPECT_EQ(read_access_request(object_of(made, "team"), scope).what, kind::record);
  EXPECT_EQ(read_access_request(object_of(made, "gateways"), scope).what, kind::bad);
}

TEST(access_request, what_people_read_is_what_it_is_about) {
  for (const char* field : {"principal", "route", "database"}) {
    json object = object_of(of_alice());
    object["spec"][field] = "another";
    EXPECT_THAT(read_access_request(object, scope).problem, HasSubstr("different things")) << field;
  }
}

TEST(access_request, of_another_gateway_is_none) {
  EXPECT_EQ(read_access_request(object_of(of_alice()), {"other", "gateways"}).what, kind::none);
  EXPECT_EQ(read_access_request(object_of(of_alice()), {"main", "elsewhere"}).what, kind::none);
}

TEST(access_request, without_a_status_is_a_wish_or_a_draft) {
  json object = object_of(of_alice());
  object.erase("status");
  EXPECT_EQ(read_access_request(object, scope).what, kind::draft);
  EXPECT_EQ(read_access_request(object, scope).subject, subject_key(of_alice().what, scope));
  object["spec"] = {{"principal", "alice"}, {"route", "all"}, {"database", "app"}, {"duration", "5m"}};
  const auto wish = read_access_request(object, scope);
  EXPECT_EQ(wish.what, kind::wish);
  EXPECT_EQ(wish.asked.by.principal, "alice");
  EXPECT_EQ(wish.asked.length, 5min);
  object["status"] = refused_status(state::denied, "no route", noon, scope, 1);
  EXPECT_EQ(read_access_request(object, scope).what, kind::none);
}

TEST(access_request, answers_are_unjudged_until_their_fingerprint_is_in_the_status) {
  json object = object_of(of_alice());
  const json answer{{"by", "bob"}, {"groups", {"dba"}}, {"decision", "Approve"}, {"duration", "10m"}};
  object["spec"]["answers"] = {answer, {{"by", "carol"}, {"decision", "Perhaps"}}, 7, {{"decision", "Deny"}}};
  auto read = read_access_request(object, scope);
  ASSERT_EQ(read.of.unjudged.size(), 1u) << read.problem;
  EXPECT_EQ(read.of.unjudged[0].by, (grants::person{.principal = "bob", .groups = {"dba"}}));
  EXPECT_EQ(read.of.unjudged[0].length, 10min);
  record judged = of_alice();
  judged.judged.push_back({.id = read.of.unjudged[0].id, .by = "bob", .when = noon, .counted = true});
  object["status"] = status_of(judged, scope, 3);
  EXPECT_TRUE(read_access_request(object, scope).of.unjudged.empty());
}

TEST(access_request, nonsense_is_bad_and_no_grant) {
  const json whole = object_of(of_alice());
  const auto after = [&](const json& patch) {
    json object = whole;
    object.merge_patch(patch);
    return read_access_request(object, scope);
  };
  for (const json& status :
       {json{{"state", "Perhaps"}}, json{{"state", "Active"}}, json{{"state", 7}}, json{{"asked", "noon"}},
        json{{"asked", nullptr}}, json{{"approvals", {1}}}, json{{"request", nullptr}},
        json{{"request", {{"rule", 7}}}}, json{{"request", {{"rule", {{"count", "many"}}}}}},
        json{{"request", {{"principal", ""}}}}, json{{"request", {{"duration", "-1s"}}}},
        json{{"state", "Denied"}},
        json{{"state", "Active"}, {"from", "2027-01-15T08:00:00Z"}, {"until", "2026-01-15T08:00:00Z"}},
        json{{"answers", {{{"id", "x"}, {"decision", "Perhaps"}}}}}}) {
    const auto read = after({{"status", status}});
    // Without a state it is what it was before anybody looked at it.
    EXPECT_TRUE(read.what == kind::bad || read.what == kind::draft) << status;
  }
  EXPECT_EQ(after({{"metadata", {{"name", "../x"}}}}).what, kind::bad);
  EXPECT_EQ(after({{"metadata", {{"uid", nullptr}}}}).what, kind::bad);
  for (const json& object : {json(nullptr), json(7), json::array(), json::object(), json{{"spec", 7}}})
    EXPECT_EQ(read_access_request(object, scope).what, kind::bad) << object;
}

TEST(access_request, is_named_for_people_and_apart_from_others) {
  const grants::subject what = of_alice().what;
  EXPECT_THAT(object_base(what, scope), testing::StartsWith("alice-example-org-"));
  grants::subject other = what;
  other.policy = "prodt";
  other.terms = "";
  EXPECT_NE(object_base(what, scope), object_base(other, scope));
  EXPECT_NE(object_base(what, scope), object_base(what, {"other", "gateways"}));
  other.principal = "\xff-./";
  EXPECT_THAT(object_base(other, scope), testing::StartsWith("r-"));
  EXPECT_GT(request_number("u"), 0);
  EXPECT_LT(request_number("u"), std::int64_t{1} << 48);
}

TEST(access_request, times_are_those_of_the_api) {
  EXPECT_EQ(time_of("2027-01-15T08:00:00.123Z"), noon);
  EXPECT_EQ(time_of("2027-01-15T08:00:00.123456789Z"), noon);
  EXPECT_EQ(time_of("2027-01-15T08:00:00Z"), noon - 123ms);
  EXPECT_EQ(time_of(grants::time_text(noon)), noon);
  for (const char* text : {"", "Z", "2027-01-15", "2027-01-15T08:00:00", "2027-13-15T08:00:00Z",
                           "2027-02-30T08:00:00Z", "2027-01-15T24:00:00Z", "2027-01-15T08:00:00.Z",
                           "2027-01-15T08:00:00.xZ", "2027-01-15 08:00:00Z", "+027-01-15T08:00:00Z"})
    EXPECT_FALSE(time_of(text)) << text;
}

}  // namespace
}  // namespace trunkline::k8s
