// What is shown of objects that are configuration.
#include "admin/objects_page.h"

#include <gtest/gtest.h>

#include "admin/json.h"

namespace trunkline::admin {
namespace {

session::objects_view some() {
  return {
      .enabled = true,
      .leads = true,
      .leader = "gateway-0",
      .kinds = {{.kind = "PostgresRoute", .accepted = 1, .refused = 1, .age_seconds = 2.5, .problem = ""}},
      .objects = {{.kind = "PostgresRoute",
                   .name_space = "shop",
                   .name = "a",
                   .generation = 3,
                   .accepted = true,
                   .reason = "Accepted",
                   .message = "",
                   .programmed = true},
                  {.kind = "PostgresRoute",
                   .name_space = "prod",
                   .name = "b",
                   .generation = 1,
                   .accepted = false,
                   .reason = "Conflicted",
                   .message = "another one was first",
                   .programmed = false}}};
}

json shown(std::vector<std::pair<std::string, std::string>> query) {
  http_request asked;
  asked.path = "/api/v1/objects";
  asked.query = std::move(query);
  return json::parse(objects_page(some(), asked).body);
}

TEST(ObjectsPage, ShowsWhatIsKnownOfAllOfThem) {
  const json all = shown({});
  EXPECT_EQ(all["enabled"], true);
  EXPECT_EQ(all["leader"], "gateway-0");
  EXPECT_EQ(all["kinds"][0]["ageSeconds"], 2.5);
  EXPECT_TRUE(all["kinds"][0]["problem"].is_null());
  ASSERT_EQ(all["objects"].size(), 2u);
  EXPECT_EQ(all["objects"][0]["programmed"], true);
  EXPECT_EQ(all["objects"][1]["message"], "another one was first");
}

TEST(ObjectsPage, ShowsSomeOfThem) {
  EXPECT_EQ(shown({{"namespace", "prod"}})["objects"][0]["name"], "b");
  EXPECT_EQ(shown({{"reason", "Accepted"}})["matching"], 1);
  EXPECT_EQ(shown({{"kind", "AccessPolicy"}})["matching"], 0);
  const json first = shown({{"limit", "1"}});
  EXPECT_EQ(first["objects"].size(), 1u);
  EXPECT_EQ(first["matching"], 2);
}

}  // namespace
}  // namespace trunkline::admin
