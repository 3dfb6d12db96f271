#include "auth/base64.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "auth/reference_scram.h"

namespace trunkline::auth {
namespace {

TEST(Base64, VectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(as_bytes(plain)), encoded);
    const auto decoded = base64_decode(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(as_text(*decoded), plain);
  }
}

TEST(Base64, RefusesWhatIsNotCanonical) {
  for (const char* text : {"Z", "Zg", "Zg=", "=", "====", "Z===", "Zg==Zg==", "Zm9v\n",
                           "Zh==", "Zm9=", "Zm-_", "Z=g=", " Zg=", "Zm9vZg=a"}) {
    EXPECT_FALSE(base64_decode(text)) << text;
  }
}

RC_GTEST_PROP(Base64, RoundTrip, (std::string text)) {
  const std::string encoded = base64_encode(as_bytes(text));
  RC_ASSERT(encoded == reference::base64(text));
  const auto decoded = base64_decode(encoded);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(as_text(*decoded) == text);
}

}  // namespace
}  // namespace trunkline::auth
