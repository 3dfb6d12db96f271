#include "client/markup.h"

#include <gtest/gtest.h>

namespace trunkline::client {
namespace {

TEST(Markup, NothingThatAPeerSaysIsMarkup) {
  EXPECT_EQ(escaped("<script a=\"b\" c='d'>&amp;"), "&lt;script a=&quot;b&quot; c=&#39;d&#39;&gt;&amp;amp;");
  EXPECT_EQ(escaped(std::string_view("a\x1b[0m\n\0b", 8)), "a [0m  b");
  EXPECT_EQ(escaped("zé"), "zé");
}

}  // namespace
}  // namespace trunkline::client
