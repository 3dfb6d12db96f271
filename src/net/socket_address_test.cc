#include "net/socket_address.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <new>

namespace trunkline::net {
namespace {

TEST(SocketAddress, StartsAllZeroWhateverTheMemoryHeld) {
  // What follows a unix path must be a NUL, and an IPv6 address has a scope that nobody sets.
  alignas(socket_address) std::array<std::byte, sizeof(socket_address)> memory;
  memory.fill(std::byte{0xaa});
  volatile std::byte* const seen = memory.data();  // keeps the compiler from dropping the fill
  ASSERT_TRUE(seen[sizeof(sockaddr_un) - 1] == std::byte{0xaa});
  const auto* made = new (memory.data()) socket_address();
  const auto* bytes = reinterpret_cast<const std::byte*>(made->get());
  EXPECT_TRUE(std::all_of(bytes, bytes + sizeof(sockaddr_un), [](std::byte b) { return b == std::byte{0}; }));
}

TEST(SocketAddress, AUnixPathEndsWithItsNul) {
  const auto made = socket_address::unix_path("/run/trunkline.sock");
  ASSERT_TRUE(made);
  const auto* path = reinterpret_cast<const sockaddr_un*>(made->get());
  EXPECT_EQ(made->length(), offsetof(sockaddr_un, sun_path) + sizeof "/run/trunkline.sock");
  EXPECT_STREQ(path->sun_path, "/run/trunkline.sock");
  EXPECT_EQ(made->text(), "unix:/run/trunkline.sock");
  EXPECT_FALSE(socket_address::unix_path(std::string(108, 'x')));
  EXPECT_TRUE(socket_address::unix_path(std::string(107, 'x')));
}

TEST(SocketAddress, ReadsAndWritesIpAddresses) {
  EXPECT_EQ(socket_address::ip("10.1.2.3", 5432)->text(), "10.1.2.3:5432");
  for (const char* each : {"0.0.0.0", "255.255.255.255", "127.0.0.1", "1.20.255.9"})
    EXPECT_EQ(socket_address::ip(each, 1)->host_text(), each);
  EXPECT_EQ(socket_address::ip("2001:db8::1", 5432)->text(), "[2001:db8::1]:5432");
  EXPECT_EQ(socket_address::ip("::ffff:10.1.2.3", 1)->host_text(), "10.1.2.3");
  EXPECT_EQ(socket_address::ip("::1", 1)->with_port(2).port(), 2);
  EXPECT_FALSE(socket_address::ip("localhost", 1));
  EXPECT_EQ(socket_address().text(), "unknown");
}

}  // namespace
}  // namespace trunkline::net
