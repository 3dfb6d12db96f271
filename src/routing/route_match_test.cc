#include "routing/route_match.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <bitset>
#include <string>
#include <vector>

namespace trunkline::routing {
namespace {

using config::ip_address;
using config::network_range;
using texts = std::vector<std::string>;

ip_address ip(std::string_view text) {
  return ip_address::parse(text).value();
}
network_range range(std::string_view text) {
  return network_range::parse(text).value();
}

connection_facts from_app() {
  return {.listener = "main",
          .server_name = "app.db.example.org",
          .database = "app",
          .user = "alice",
          .source = ip("10.1.2.3")};
}

config::route route(std::string name, config::route_match match) {
  config::route out;
  out.name = std::move(name);
  out.match = std::move(match);
  return out;
}

config::route_match match(texts listeners, texts server_names = {}, texts databases = {}, texts users = {},
                          std::vector<network_range> sources = {}) {
  return {.listeners = std::move(listeners),
          .server_names = std::move(server_names),
          .databases = std::move(databases),
          .users = std::move(users),
          .sources = std::move(sources)};
}

TEST(RouteMatch, TheFirstThatFitsWins) {
  config::settings settings;
  settings.routes = {route("other listener", match({"side"})), route("app", match({}, {}, {"app"})),
                     route("rest", match({}))};
  EXPECT_EQ(find_route(settings, from_app()), &settings.routes[1]);
  connection_facts other = from_app();
  other.database = "postgres";
  EXPECT_EQ(find_route(settings, other), &settings.routes[2]);
  other.listener = "side";
  EXPECT_EQ(find_route(settings, other), &settings.routes[0]);
}

TEST(RouteMatch, NothingFitsNothing) {
  EXPECT_EQ(find_route({}, from_app()), nullptr);
  config::settings settings;
  settings.routes = {route("b", match({}, {}, {"b"}))};
  EXPECT_EQ(find_route(settings, from_app()), nullptr);
}

TEST(RouteMatch, EveryConditionMustFitAndOneOfItsValues) {
  const auto all = match({"side", "main"}, {"app.*"}, {"x", "a*"}, {"bob", "al?ce"},
                         {range("192.168.0.0/16"), range("10.0.0.0/8")});
  EXPECT_TRUE(fits(all, from_app()));
  for (int part = 0; part < 5; ++part) {
    connection_facts facts = from_app();
    if (part == 0) facts.listener = "third";
    if (part == 1) facts.server_name = "api.db.example.org";
    if (part == 2) facts.database = "b";
    if (part == 3) facts.user = "alicia";
    if (part == 4) facts.source = ip("11.0.0.0");
    EXPECT_FALSE(fits(all, facts)) << part;
  }
}

TEST(RouteMatch, HostNamesIgnoreCaseAndOtherNamesDoNot) {
  connection_facts facts = from_app();
  facts.server_name = "APP.db.Example.org";
  EXPECT_TRUE(fits(match({}, {"app.*.org"}), facts));
  facts.database = "App";
  EXPECT_FALSE(fits(match({}, {}, {"app"}), facts));
  facts.user = "Alice";
  EXPECT_FALSE(fits(match({}, {}, {}, {"alice"}), facts));
  facts.listener = "Main";
  EXPECT_FALSE(fits(match({"main"}), facts));
}

TEST(RouteMatch, WhatIsNotKnownFitsOnlyWhereNobodyAsks) {
  const connection_facts opaque{
      .listener = "main", .server_name = {}, .database = {}, .user = {}, .source = {}};
  EXPECT_TRUE(fits(match({}), opaque));
  EXPECT_TRUE(fits(match({"*"}), opaque));
  EXPECT_FALSE(fits(match({}, {"*"}), opaque));
  EXPECT_FALSE(fits(match({}, {}, {"*"}), opaque));
  EXPECT_FALSE(fits(match({}, {}, {}, {"*"}), opaque));
  EXPECT_FALSE(fits(match({}, {}, {}, {}, {range("0.0.0.0/0"), range("::/0")}), opaque));
}

TEST(RouteMatch, EmptyNamesAreNames) {
  connection_facts facts = from_app();
  facts.database = "";
  EXPECT_TRUE(fits(match({}, {}, {"*"}), facts));
  EXPECT_FALSE(fits(match({}, {}, {"?*"}), facts));
}

TEST(RouteMatch, SourcesOfBothFamilies) {
  connection_facts facts = from_app();
  facts.source = ip("::ffff:10.9.9.9");  // a client of a dual-stack listener
  EXPECT_TRUE(fits(match({}, {}, {}, {}, {range("10.0.0.0/8")}), facts));
  EXPECT_FALSE(fits(match({}, {}, {}, {}, {range("::/0")}), facts));
  facts.source = ip("2001:db8::1");
  EXPECT_TRUE(fits(match({}, {}, {}, {}, {range("10.0.0.0/8"), range("2001:db8::/32")}), facts));
  EXPECT_FALSE(fits(match({}, {}, {}, {}, {range("0.0.0.0/0")}), facts));
}

// ---- the same decision, written in the plainest way ----

bool plain_glob(const std::string& pattern, const std::string& text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return plain_glob(pattern.substr(1), text) || (!text.empty() && plain_glob(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         plain_glob(pattern.substr(1), text.substr(1));
}

std::string bits(const ip_address& address) {
  std::string out;
  for (std::size_t i = 0; i < (address.v6 ? 16U : 4U); ++i)
    out += std::bitset<8>(address.bytes[i]).to_string();
  return out;
}

bool plain_contains(const network_range& one, const ip_address& address) {
  const auto prefix = static_cast<std::size_t>(one.prefix_bits);
  return one.base.v6 == address.v6 && bits(one.base).substr(0, prefix) == bits(address).substr(0, prefix);
}

bool plain_names(const texts& patterns, const std::optional<std::string>& value) {
  if (patterns.empty()) return true;
  if (!value) return false;
  for (const std::string& pattern : patterns) {
    if (plain_glob(pattern, *value)) return true;
  }
  return false;
}

bool plain_sources(const std::vector<network_range>& ranges, const std::optional<ip_address>& source) {
  if (ranges.empty()) return true;
  for (const network_range& one : ranges) {
    if (source && plain_contains(one, *source)) return true;
  }
  return false;
}

/// Few letters, so that patterns and texts often meet.
std::string some_text(const std::string& letters) {
  std::string out;
  const int size = *rc::gen::inRange(0, 5);
  for (int i = 0; i < size; ++i)
    out += *rc::gen::elementOf(letters);
  return out;
}

texts some_patterns() {
  texts out;
  const int size = *rc::gen::weightedElement<int>({{6, 0}, {3, 1}, {3, 2}});
  for (int i = 0; i < size; ++i)
    out.push_back(some_text("ab**?"));
  return out;
}

std::optional<std::string> some_name() {
  if (*rc::gen::inRange(0, 8) == 0) return std::nullopt;
  return some_text("ab");
}

ip_address some_address() {
  ip_address out;
  out.v6 = *rc::gen::arbitrary<bool>();
  for (std::size_t i = 0; i < (out.v6 ? 16U : 4U); ++i)
    out.bytes[i] = *rc::gen::element<std::uint8_t>(0, 1, 0x80);
  return out;
}

network_range some_range() {
  network_range out{.base = some_address(), .prefix_bits = 0};
  out.prefix_bits = *rc::gen::inRange(0, out.base.v6 ? 129 : 33);
  for (int bit = out.prefix_bits; bit < (out.base.v6 ? 128 : 32); ++bit) {
    auto& byte = out.base.bytes[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte & ~(0x80 >> bit % 8));
  }
  return out;
}

RC_GTEST_PROP(RouteMatch, AgreesWithThePlainReading, ()) {
  config::settings settings;
  const int count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) {
    config::route_match some = match(some_patterns(), some_patterns(), some_patterns(), some_patterns());
    const int ranges = *rc::gen::weightedElement<int>({{6, 0}, {2, 1}, {1, 2}});
    for (int n = 0; n < ranges; ++n)
      some.sources.push_back(some_range());
    settings.routes.push_back(route(std::to_string(i), std::move(some)));
  }
  const std::string listener = some_text("ab");
  const auto server_name = some_name();
  const auto database = some_name();
  const auto user = some_name();
  const auto source = *rc::gen::arbitrary<bool>() ? std::optional(some_address()) : std::nullopt;

  const config::route* expected = nullptr;
  for (const config::route& one : settings.routes) {
    const auto& wanted = one.match;
    if (plain_names(wanted.listeners, listener) && plain_names(wanted.server_names, server_name) &&
        plain_names(wanted.databases, database) && plain_names(wanted.users, user) &&
        plain_sources(wanted.sources, source)) {
      expected = &one;
      break;
    }
  }
  RC_CLASSIFY(expected != nullptr, "taken");
  RC_ASSERT(find_route(settings, {.listener = listener,
                                  .server_name = server_name,
                                  .database = database,
                                  .user = user,
                                  .source = source}) == expected);
}

}  // namespace
}  // namespace trunkline::routing
