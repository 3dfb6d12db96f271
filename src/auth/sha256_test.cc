#include "auth/sha256.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "auth/reference_scram.h"

namespace trunkline::auth {
namespace {

std::string hex(byte_span bytes) {
  std::string out;
  for (std::byte byte : bytes) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(byte) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(byte) & 0xf];
  }
  return out;
}

TEST(Sha256, HashesTheConcatenationOfItsParts) {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // FIPS 180-4
  EXPECT_EQ(hex(sha256({as_bytes("abc")})), abc);
  EXPECT_EQ(hex(sha256({as_bytes("a"), as_bytes(""), as_bytes("bc")})), abc);
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, HmacFollowsRfc4231) {
  EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), {as_bytes("what do ya want "), as_bytes("for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(as_bytes(std::string(131, '\xaa')),
                            {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")})),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Sha256, HmacKeysAroundOneBlock) {
  for (std::size_t size = 0; size < 70; ++size) {
    const std::string key(size, 'k');
    EXPECT_EQ(as_text(hmac_sha256(as_bytes(key), {as_bytes("text")})), reference::hmac(key, "text")) << size;
  }
}

TEST(Sha256, Pbkdf2FollowsRfc7914) {
  EXPECT_EQ(hex(pbkdf2_sha256(as_bytes("passwd"), as_bytes("salt"), 1)),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
  EXPECT_EQ(hex(pbkdf2_sha256(as_bytes("Password"), as_bytes("NaCl"), 80'000)),
            "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
  EXPECT_EQ(pbkdf2_sha256(as_bytes("x"), as_bytes("y"), 0), pbkdf2_sha256(as_bytes("x"), as_bytes("y"), 1));
}

RC_GTEST_PROP(Sha256, AgreesWithTheGenericInterfaces, (std::string key, std::string text)) {
  key += std::string(*rc::gen::inRange(0, 130), 'k');
  const int iterations = *rc::gen::inRange(1, 40);
  RC_ASSERT(as_text(hmac_sha256(as_bytes(key), {as_bytes(text)})) == reference::hmac(key, text));
  RC_ASSERT(as_text(pbkdf2_sha256(as_bytes(key), as_bytes(text), static_cast<unsigned>(iterations))) ==
            reference::pbkdf2(key, text, iterations));
}

TEST(Sha256, ConstantTimeComparisonCompares) {
  EXPECT_TRUE(equal_in_constant_time(as_bytes("same"), as_bytes("same")));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("same"), as_bytes("samt")));
  EXPECT_FALSE(equal_in_constant_time(as_bytes("same"), as_bytes("sam")));
}

}  // namespace
}  // namespace trunkline::auth
