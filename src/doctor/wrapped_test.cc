#include "doctor/wrapped.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace trunkline::doctor {
namespace {

TEST(wrapped, breaks_at_blanks) {
  EXPECT_EQ(wrapped("one two three four", 14, "", 2), "one two three\n  four\n");
  EXPECT_EQ(wrapped("two three", 10, "a head ", 2), "a head two\n  three\n");
  EXPECT_EQ(wrapped("", 20, "head", 2), "head\n");
}

TEST(wrapped, breaks_a_word_that_is_wider_than_a_line) {
  EXPECT_EQ(wrapped("abcdefghijklmnopqrstuvwxyz", 12, "", 2), "abcdefghijkl\n  mnopqrstuv\n  wxyz\n");
}

TEST(wrapped, counts_characters) {
  EXPECT_EQ(width_of("é…"), 2u);
  EXPECT_EQ(wrapped("ééééé ééééé", 12, "", 0), "ééééé ééééé\n");
}

RC_GTEST_PROP(wrapped, no_line_is_wider_and_nothing_is_lost, ()) {
  const auto words = *rc::gen::container<std::vector<std::string>>(
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('a', 'z'))));
  const auto columns = *rc::gen::inRange<std::size_t>(20, 100);
  std::string text;
  std::string letters;
  for (const auto& word : words) {
    text += (text.empty() ? "" : " ") + word;
    letters += word;
  }
  const std::string made = wrapped(text, columns, "", 4);
  std::string kept;
  std::size_t width = 0;
  for (const char each : made) {
    width = each == '\n' ? 0 : width + 1;
    RC_ASSERT(width <= columns);
    if (each != ' ' && each != '\n') kept += each;
  }
  RC_ASSERT(kept == letters);
}

}  // namespace
}  // namespace trunkline::doctor
