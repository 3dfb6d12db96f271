#include "main/successor.h"

#include <gtest/gtest.h>

namespace trunkline::main {
namespace {

TEST(program_path, the_name_that_it_was_called_by_comes_first) {
  EXPECT_EQ(program_path("/bin/sh", "/somewhere/else"), "/bin/sh");
}

TEST(program_path, a_name_without_a_folder_is_no_path) {
  EXPECT_EQ(program_path("sh", "/usr/bin/trunkline"), "/usr/bin/trunkline");
}

TEST(program_path, a_replaced_file_is_found_where_it_was) {
  EXPECT_EQ(program_path("/gone/trunkline", "/usr/bin/trunkline (deleted)"), "/usr/bin/trunkline");
  EXPECT_EQ(program_path("trunkline", "/usr/bin/trunkline (deleted)"), "/usr/bin/trunkline");
}

TEST(program_path, without_proc_the_name_has_to_do) {
  EXPECT_EQ(program_path("trunkline", ""), "trunkline");
}

}  // namespace
}  // namespace trunkline::main
