#include "session/client_identity.h"

#include <gtest/gtest.h>

namespace trunkline::session {
namespace {

using config::certificate_auth;
using config::certificate_name;
using config::user_rule;

tls::certificate_facts shown() {
  tls::certificate_facts facts;
  facts.common_name = "app";
  facts.dns_names = {"x.other.org", "app.prod.example.org"};
  facts.emails = {"alice@example.org"};
  facts.uris = {"https://example.org", "spiffe://example.org/ns/prod/sa/app"};
  return facts;
}

std::optional<std::string> by(certificate_name from, const std::string& match,
                              const std::string& principal = "$0") {
  const certificate_auth rules{.map = {{from, match, principal}}};
  return principal_of(shown(), &rules);
}

TEST(ClientIdentity, APrincipalIsMadeOfACertificatesNames) {
  EXPECT_EQ(principal_of(shown(), nullptr), "app");
  EXPECT_EQ(by(certificate_name::common_name, "a*", "$1"), "pp");
  EXPECT_EQ(by(certificate_name::dns, "*.prod.example.org", "$1"), "app");
  EXPECT_EQ(by(certificate_name::email, "*@example.org", "$1"), "alice");
  EXPECT_EQ(by(certificate_name::uri, "spiffe://example.org/ns/*/sa/*", "$1:$2"), "prod:app");
  EXPECT_EQ(by(certificate_name::uri, "spiffe://*/*"), std::nullopt) << "a part ends at a slash";
  EXPECT_EQ(by(certificate_name::dns, "*.org"), std::nullopt) << "a part ends at a dot";
  EXPECT_EQ(by(certificate_name::common_name, "a*", "$2"), std::nullopt) << "nobody has no name";
  tls::certificate_facts nameless;
  EXPECT_EQ(principal_of(nameless, nullptr), std::nullopt);
}

TEST(ClientIdentity, TheFirstRuleThatFitsDecides) {
  const certificate_auth rules{
      .map = {{certificate_name::email, "*@other.org", "no"},
              {certificate_name::uri, "spiffe://example.org/ns/prod/sa/*", "first $1"},
              {certificate_name::common_name, "*", "second"}}};
  EXPECT_EQ(principal_of(shown(), &rules), "first app");
}

TEST(ClientIdentity, WithoutRulesTheUserIsThePrincipal) {
  EXPECT_TRUE(may_be({.principal = "alice"}, {}, "alice"));
  EXPECT_FALSE(may_be({.principal = "alice"}, {}, "Alice"));
  EXPECT_FALSE(may_be({.principal = "alice"}, {}, "postgres"));
}

TEST(ClientIdentity, RulesSayWhichUsers) {
  const auth::identity alice{.principal = "alice@example.org", .groups = {"app", "dba-eu"}};
  const std::vector<user_rule> rules{
      {.principals = {"*@example.org"}, .groups = {}, .users = {"$1", "$1_ro"}},
      {.principals = {}, .groups = {"dba-*"}, .users = {"admin_*"}},
      {.principals = {"bob@*"}, .groups = {"app"}, .users = {"*"}}};
  EXPECT_TRUE(may_be(alice, rules, "alice"));
  EXPECT_TRUE(may_be(alice, rules, "alice_ro"));
  EXPECT_TRUE(may_be(alice, rules, "admin_x"));
  EXPECT_FALSE(may_be(alice, rules, "alice@example.org")) << "with rules, only rules count";
  EXPECT_FALSE(may_be(alice, rules, "postgres"));
  const auth::identity bob{.principal = "bob@example.org", .groups = {"app"}};
  EXPECT_TRUE(may_be(bob, rules, "postgres"));
  EXPECT_FALSE(may_be({.principal = "bob@example.org"}, rules, "postgres")) << "not in the group";
}

/// Whoever chooses his own name must not choose a pattern.
TEST(ClientIdentity, WhatAPrincipalIsMadeOfIsNoWildcard) {
  const std::vector<user_rule> rules{{.principals = {"*@example.org"}, .groups = {}, .users = {"$1"}}};
  EXPECT_FALSE(may_be({.principal = "*@example.org"}, rules, "postgres"));
  EXPECT_TRUE(may_be({.principal = "*@example.org"}, rules, "*"));
  const std::vector<user_rule> wide{{.principals = {"*@example.org"}, .groups = {}, .users = {"$1_*"}}};
  EXPECT_TRUE(may_be({.principal = "alice@example.org"}, wide, "alice_ro"));
  EXPECT_FALSE(may_be({.principal = "alice@example.org"}, wide, "bob_ro"));
  EXPECT_FALSE(may_be({.principal = "????@example.org"}, wide, "root_x"));
}

}  // namespace
}  // namespace trunkline::session
