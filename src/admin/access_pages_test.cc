#include "admin/access_pages.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "admin/fake_observer.h"
#include "grants/sqlite_store.h"
#include "grants/test_support.h"

namespace trunkline::admin {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class fake_source final : public access_source {
 public:
  grants::office* desk() override { return office; }
  std::optional<grants::person> who(const secret_text& token) override {
    if (token.reveal() == "alice") return grants::person{.principal = "alice"};
    if (token.reveal() == "bob") return grants::person{.principal = "bob", .groups = {"dba"}};
    return std::nullopt;
  }
  grants::answer<grants::question> question_of(const grants::person& who, const access_wish& wish) override {
    if (wish.route != "r")
      return std::unexpected(grants::refusal{grants::refusal::kind::not_found, "no route"});
    grants::question made;
    made.what = {.principal = who.principal,
                 .policy = "p",
                 .terms = "",
                 .route = "r",
                 .database = wish.database,
                 .user = "u"};
    made.rule.any_of = {"dba"};
    made.rule.reason = false;
    made.reason = wish.reason;
    made.by_hand = true;
    return made;
  }
  void refused(const grants::person* who, const std::string& command, const std::string& why) override {
    told.push_back((who == nullptr ? "nobody" : who->principal) + " " + command + " " + why.substr(0, 3));
  }
  grants::office* office = nullptr;
  std::vector<std::string> told;
};

class AccessPages : public testing::Test {
 protected:
  http_response ask(const std::string& who, const std::string& page, const std::string& body = "GET") {
    http_request asked;
    asked.method = body == "GET" ? "GET" : "POST";
    asked.path = "/api/v1/" + page;
    asked.bearer = secret_text(who);
    if (body != "GET") asked.body = body;
    return access_page(seen_, &source_, asked, page);
  }

  grants::store_file file_;
  telemetry::logger log_{telemetry::log_format::text, telemetry::log_level::error};
  grants::office office_{{.kept = std::move(*grants::sqlite_store::open(file_.path())),
                          .gateway = "g",
                          .tell = [](const grants::change&) {},
                          .log = log_}};
  fake_observer seen_;
  fake_source source_;
};

TEST_F(AccessPages, WithoutAStoreThereIsNothing) {
  EXPECT_EQ(json::parse(ask("", "access").body)["supported"], false);
  EXPECT_EQ(access_page(seen_, nullptr, {}, "whoami").status, 404);
  EXPECT_EQ(ask("alice", "access/requests", "{}").status, 404);
}

TEST_F(AccessPages, EverybodyIsSomebody) {
  source_.office = &office_;
  for (const std::string page : {"access", "whoami", "access/requests/1", "access/requests/1/approve"})
    EXPECT_EQ(ask("mallory", page).status, 401) << page;
  EXPECT_EQ(json::parse(ask("bob", "whoami").body)["principal"], "bob");
}

TEST_F(AccessPages, ARequestIsMadeAnsweredAndShown) {
  source_.office = &office_;
  const auto made = ask("alice", "access/requests", R"({"route":"r","database":"d","reason":"why"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(json::parse(made.body)["reason"], "why");
  EXPECT_EQ(json::parse(ask("bob", "access").body)["requests"].size(), 1u);
  EXPECT_EQ(ask("alice", "access/requests/1/approve", "{}").status, 403);
  EXPECT_EQ(ask("bob", "access/requests/1/approve", "").status, 200);
  EXPECT_EQ(ask("bob", "access/requests/1/approve", "{}").status, 409);
  EXPECT_EQ(json::parse(ask("bob", "access").body)["grants"][0]["state"], "active");
  EXPECT_EQ(ask("bob", "access/grants/1/revoke", R"({"reason":"over"})").status, 200);
}

TEST_F(AccessPages, AWriteThatIsRefusedIsTold) {
  source_.office = &office_;
  ASSERT_EQ(ask("alice", "access/requests", R"({"route":"r","database":"d","reason":"why"})").status, 201);
  ask("mallory", "access/requests/1/approve", "{}");
  ask("alice", "access/requests/1/approve", "{}");
  ask("alice", "access/requests", R"({"route":"x","database":"d"})");
  ask("bob", "access/requests/9/deny", "{}");
  ask("bob", "access/grants/1/revoke", "[");
  ask("mallory", "access/requests/1");  // reads nothing that is not told by its status
  EXPECT_THAT(source_.told, testing::ElementsAre("nobody approve 1 401", "alice approve 1 403",
                                                 "alice request 404", "bob deny 9 404", "bob revoke 1 400"));
}

TEST_F(AccessPages, WhatMakesNoSenseIsRefused) {
  source_.office = &office_;
  EXPECT_EQ(ask("alice", "access/requests", "[]").status, 400);
  EXPECT_EQ(ask("alice", "access/requests", "{").status, 400);
  EXPECT_EQ(ask("alice", "access/requests", R"({"route":1})").status, 400);
  EXPECT_EQ(ask("alice", "access/requests", R"({"seconds":0})").status, 400);
  EXPECT_EQ(ask("alice", "access/requests", R"({"seconds":18446744073709551615})").status, 400);
  EXPECT_EQ(ask("alice", "access/requests", R"({"who":"bob"})").status, 400);
  EXPECT_EQ(ask("alice", "access/requests").status, 405);
  EXPECT_EQ(ask("alice", "access", "{}").status, 405);
  EXPECT_EQ(ask("alice", "access/requests/1/approve").status, 405);
  EXPECT_EQ(ask("alice", "access/requests/-1/approve", "{}").status, 404);
  EXPECT_EQ(ask("alice", "access/requests/1/", "{}").status, 404);
  EXPECT_EQ(ask("alice", "access/", "{}").status, 404);
}

}  // namespace
}  // namespace trunkline::admin
