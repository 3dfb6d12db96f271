#include "auth/md5.h"

#include <gtest/gtest.h>

namespace trunkline::auth {
namespace {

constexpr md5_salt salt{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{0xff}};

// The expected values come from md5sum: printf 'secretalice' | md5sum, then its digits with the salt behind.
TEST(Md5, HashAndResponse) {
  const secret_text hash = md5_hash("secret", "alice");
  EXPECT_EQ(hash.reveal(), "md54a0a68b43b6cd5cf266fa02f196e2371");
  EXPECT_EQ(md5_response(hash, salt).reveal(), "md55f0388cdae34fff99488f7c4c4a91735");
}

TEST(Md5, PasswordAndStoredHashGiveTheSameResponse) {
  const secret_text password{"secret"};
  EXPECT_EQ(md5_response(password, "alice", salt).reveal(),
            md5_response(md5_hash("secret", "alice"), "bob", salt).reveal());
  EXPECT_NE(md5_response(password, "alice", salt).reveal(), md5_response(password, "bob", salt).reveal());
}

TEST(Md5, TellsAHashFromAPassword) {
  EXPECT_TRUE(looks_like_md5_hash(md5_hash("", "").reveal()));
  EXPECT_FALSE(looks_like_md5_hash("md5"));
  EXPECT_FALSE(looks_like_md5_hash("md5" + std::string(31, 'a')));
  EXPECT_FALSE(looks_like_md5_hash("md5" + std::string(33, 'a')));
  EXPECT_FALSE(looks_like_md5_hash("md5" + std::string(32, 'g')));
  EXPECT_FALSE(looks_like_md5_hash("MD5" + std::string(32, 'a')));
}

}  // namespace
}  // namespace trunkline::auth
