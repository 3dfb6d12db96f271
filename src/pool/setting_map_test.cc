#include "pool/setting_map.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace {

setting_map of(std::initializer_list<std::pair<const char*, const char*>> entries) {
  setting_map made;
  for (const auto& [name, value] : entries)
    made.set(name, value);
  return made;
}

TEST(SettingMap, KeepsWhatWasSetLastWhateverTheOrder) {
  setting_map one = of({{"b", "1"}, {"a", "2"}, {"b", "3"}});
  EXPECT_EQ(one, of({{"a", "2"}, {"b", "3"}}));
  one.erase("b");
  one.erase("nothing");
  EXPECT_EQ(one.find("b"), nullptr);
  ASSERT_NE(one.find("a"), nullptr);
  EXPECT_EQ(*one.find("a"), "2");
  EXPECT_EQ(one.bytes(), 2u);
}

TEST(SettingsQuery, SaysNothingWhereNothingDiffers) {
  EXPECT_EQ(settings_query({}, {}), "");
  EXPECT_EQ(settings_query(of({{"timezone", "UTC"}}), of({{"timezone", "UTC"}})), "");
}

TEST(SettingsQuery, ResetsWhatIsNotWantedAndSetsTheRest) {
  EXPECT_EQ(settings_query(of({{"datestyle", "SQL, DMY"}, {"timezone", "UTC"}}),
                           of({{"timezone", "Asia/Tokyo"}, {"work_mem", "1MB"}})),
            "RESET \"datestyle\";SELECT pg_catalog.set_config(E'timezone',E'Asia/Tokyo',false),"
            "pg_catalog.set_config(E'work_mem',E'1MB',false)");
}

TEST(SettingsQuery, TheRoleGoesFirstAndComesLast) {
  EXPECT_EQ(settings_query(of({{"a", "1"}, {"role", "x"}}), {}), "RESET role;RESET \"a\";");
  EXPECT_EQ(
      settings_query({}, of({{"role", "x"}, {"work_mem", "1MB"}})),
      "SELECT pg_catalog.set_config(E'work_mem',E'1MB',false),pg_catalog.set_config(E'role',E'x',false)");
}

TEST(SettingsQuery, QuotesNamesAndValues) {
  EXPECT_EQ(settings_query(of({{"app.user", "1"}}), {}), "RESET \"app\".\"user\";");
  EXPECT_EQ(settings_query({}, of({{"app.user", R"(it's a \ "x")"}})),
            R"(SELECT pg_catalog.set_config(E'app.user',E'it''s a \\ "x"',false))");
}

TEST(SettingMap, IsPackedIntoOneTextAndBack) {
  for (const auto& each : {setting_map(), of({{"work_mem", "1MB"}}),
                           of({{"application_name", ""}, {"search_path", "a, \"b\""}, {"work_mem", "2MB"}})})
    EXPECT_EQ(setting_map::unpacked(each.packed()), each);
  EXPECT_NE(of({{"a", "b"}}).packed(), of({{"a", ""}, {"b", ""}}).packed());
}

TEST(Quoting, WhatEndsItIsDoubled) {
  EXPECT_EQ(quote_identifier("a\"b'c"), "\"a\"\"b'c\"");
  EXPECT_EQ(quote_literal("it's \\ \"here\""), "E'it''s \\\\ \"here\"'");
}

}  // namespace
}  // namespace trunkline::pool
