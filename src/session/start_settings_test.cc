#include "session/start_settings.h"

#include <gtest/gtest.h>

namespace trunkline::session {
namespace {

result<pool::setting_map> settings_of(std::vector<protocol::startup_parameter> parameters,
                                      const config::route& route = {}) {
  protocol::startup_message message;
  message.parameters = std::move(parameters);
  return start_settings(message, route.parameters);
}

TEST(StartSettings, AreWhatIsNeitherWhoNorWhere) {
  const auto made = settings_of({{"user", "u"}, {"database", "d"}, {"TimeZone", "UTC"}, {"_pq_.x", "1"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->entries(), (std::vector<pool::setting_map::entry>{{"timezone", "UTC"}}));
}

TEST(StartSettings, ComeOutOfOptionsToo) {
  const auto made = settings_of({{"options", R"(-c search_path=a\ b,c  --work-mem=1MB -cApp.X=)"}});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->entries(), (std::vector<pool::setting_map::entry>{
                                 {"app.x", ""}, {"search_path", "a b,c"}, {"work_mem", "1MB"}}));
  for (const char* wrong : {"-e", "-c", "-c x", "-c =1", "--x", "x=1"})
    EXPECT_EQ(settings_of({{"options", wrong}}).error().code, sqlstates::feature_not_supported) << wrong;
}

TEST(StartSettings, TheRoutesOwnWin) {
  config::route route;
  route.parameters = {{"Statement_Timeout", "1s"}};
  const auto made = settings_of({{"statement_timeout", "0"}}, route);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->empty());
}

TEST(ApplicationName, IsKeptAsTheServerKeepsIt) {
  EXPECT_EQ(clean_application_name("a\xc3\xa9\n"), "a???");
  EXPECT_EQ(clean_application_name(std::string(100, 'x')).size(), 63u);
}

}  // namespace
}  // namespace trunkline::session
