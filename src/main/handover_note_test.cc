#include "main/handover_note.h"

#include <gtest/gtest.h>

namespace trunkline::main {
namespace {

handover_note example() {
  return {.link = 5,
          .sockets = {{socket_use::listener, "main", "127.0.0.1:5432", 3},
                      {socket_use::listener, "odd, name=50% \xc3\xa9", "unix:/run/with space/.s", 4},
                      {socket_use::admin, "", "[::1]:9631", 6}}};
}

TEST(handover_note, comes_back_as_it_was) {
  const auto read = decode_handover(encode_handover(example()));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, example());
}

TEST(handover_note, is_one_line_of_printable_ascii) {
  EXPECT_EQ(encode_handover(example()),
            "1 link=5 listener=3,main,127.0.0.1:5432 "
            "listener=4,odd%2C%20name%3D50%25%20%C3%A9,unix:/run/with%20space/.s admin=6,,[::1]:9631");
}

TEST(handover_note, what_it_does_not_understand_is_refused) {
  for (const char* wrong :
       {"", "2 link=5", "1", "1 link=", "1 link=2", "1 link=x", "1 link=5x", "1 listener=3,a,b",
        "1 link=5 listener=3", "1 link=5 listener=3,a", "1 link=5 listener=0,a,b:1",
        "1 link=5 window=3,a,b:1", "1 link=5 listener=3,%4,b:1", "1 link=5 listener=3,%zz,b:1",
        "1 link=5  admin=3,,b:1"}) {
    const auto read = decode_handover(wrong);
    EXPECT_FALSE(read) << wrong;
  }
}

TEST(handover_note, a_socket_is_found_by_its_address) {
  const auto sockets = example().sockets;
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "main", "127.0.0.1:5432"), 0u);
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "renamed", "127.0.0.1:5432"), 0u);
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "main", "127.0.0.1:5433"), 3u);
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "", "[::1]:9631"), 3u) << "it is the admin's";
  EXPECT_EQ(find_handed(sockets, socket_use::admin, "", "[::1]:9631"), 2u);
}

TEST(handover_note, a_port_of_the_kernel_s_choice_belongs_to_a_name) {
  const std::vector<handed_socket> sockets{{socket_use::listener, "a", "127.0.0.1:0", 3},
                                           {socket_use::listener, "b", "127.0.0.1:0", 4}};
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "b", "127.0.0.1:0"), 1u);
  EXPECT_EQ(find_handed(sockets, socket_use::listener, "c", "127.0.0.1:0"), 2u);
}

}  // namespace
}  // namespace trunkline::main
