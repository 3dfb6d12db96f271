#include "config/name_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/glob.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;

TEST(NamePattern, TakesANameApart) {
  EXPECT_THAT(*name_parts("spiffe://example.org/ns/*/sa/*", "spiffe://example.org/ns/prod/sa/app", '/'),
              ElementsAre("spiffe://example.org/ns/prod/sa/app", "prod", "app"));
  EXPECT_THAT(*name_parts("*@example.org", "alice@example.org", '@'),
              ElementsAre("alice@example.org", "alice"));
  EXPECT_THAT(*name_parts("alice", "alice"), ElementsAre("alice"));
  EXPECT_THAT(*name_parts("*", ""), ElementsAre("", ""));
  EXPECT_THAT(*name_parts("a*b*c", "axbyc"), ElementsAre("axbyc", "x", "y"));
  EXPECT_THAT(*name_parts("*b*c", "abbc"), ElementsAre("abbc", "a", "b"));
  EXPECT_FALSE(name_parts("a*", "b"));
  EXPECT_FALSE(name_parts("*a", "ab"));
  EXPECT_FALSE(name_parts("alice", "alicex"));
}

/// What a stranger can choose is one segment: he cannot write himself into another namespace.
TEST(NamePattern, APartEndsAtTheFence) {
  EXPECT_FALSE(name_parts("spiffe://d/ns/*/sa/*", "spiffe://d/ns/evil/sa/a/ns/prod/sa/app", '/'));
  EXPECT_FALSE(name_parts("spiffe://d/*", "spiffe://d/a/b", '/'));
  EXPECT_FALSE(name_parts("*@example.org", "a@evil.org@example.org", '@'));
  EXPECT_FALSE(name_parts("*.app.example.org", "x.y.app.example.org", '.'));
  EXPECT_THAT(*name_parts("*/x*/c", "a/xbx/c", '/'), ElementsAre("a/xbx/c", "a", "bx"));
}

TEST(NamePattern, FillsATextWithTheParts) {
  const auto parts = *name_parts("*-*", "prod-app");
  EXPECT_EQ(fill_parts("$2_$1", parts), "app_prod");
  EXPECT_EQ(fill_parts("$0", parts), "prod-app");
  EXPECT_EQ(fill_parts("$$1$", parts), "$1$");
  EXPECT_EQ(fill_parts("$9", parts), "");
  EXPECT_EQ(highest_part("$2_$1"), 2);
  EXPECT_EQ(highest_part("a$$"), 0);
  EXPECT_FALSE(highest_part("a$"));
  EXPECT_FALSE(highest_part("$x"));
  EXPECT_EQ(parts_of("a*b*"), 2);
}

/// Without a fence a pattern fits what it fits as a glob, and its parts lie in the text in order.
RC_GTEST_PROP(NamePattern, FitsAsAGlobDoes, ()) {
  const auto letters = rc::gen::container<std::string>(rc::gen::element('a', 'b', '*'));
  const std::string pattern = *letters;
  const std::string text = *rc::gen::container<std::string>(rc::gen::element('a', 'b'));
  const auto parts = name_parts(pattern, text);
  RC_ASSERT(parts.has_value() == glob_match(pattern, text));
  if (!parts) return;
  RC_ASSERT(parts->size() == parts_of(pattern) + 1);
  std::string again;
  std::size_t next = 1;
  for (const char c : pattern) {
    if (c == '*') {
      again += (*parts)[next++];
    } else {
      again += c;
    }
  }
  RC_ASSERT(again == text);
}

}  // namespace
}  // namespace trunkline::config
