#include "grants/token_file.h"

#include <gmock/gmock.h>

namespace trunkline::grants {
namespace {

using testing::HasSubstr;

constexpr auto hash_of_test = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

TEST(token_file, knows_whose_token_it_is) {
  const auto read = token_file::parse(std::string("# people\n\nbob ") + hash_of_test + " dba,,leads\n", "t");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->who(secret_text("test")), (person{.principal = "bob", .groups = {"dba", "leads"}}));
  EXPECT_FALSE(read->who(secret_text("Test")));
  EXPECT_FALSE(read->who(secret_text("")));
  EXPECT_FALSE(read->who(secret_text(hash_of_test)));
}

TEST(token_file, names_the_line_that_is_wrong) {
  for (const std::string line :
       {"bob", "bob test", "bob xx86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "bob 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 a b"}) {
    const auto read = token_file::parse("# x\n" + line, "tokens");
    ASSERT_FALSE(read) << line;
    EXPECT_THAT(read.error().message, HasSubstr("tokens:2: "));
  }
}

TEST(token_file, that_is_not_there_is_an_error) {
  EXPECT_FALSE(token_file::read("/no/such/file"));
}

}  // namespace
}  // namespace trunkline::grants
