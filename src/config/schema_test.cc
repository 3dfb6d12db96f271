#include "config/schema.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "config/load.h"
#include "config/reference.h"

namespace trunkline::config {
namespace {

TEST(Schema, EveryKeyHasAParentADocAndStandsOnce) {
  std::set<std::string> seen;
  for (const auto& key : schema()) {
    EXPECT_TRUE(seen.insert(key.path).second) << key.path;
    EXPECT_FALSE(key.doc.empty()) << key.path;
    EXPECT_FALSE(expectation(key).empty()) << key.path;
    EXPECT_EQ(key.choices.empty(), key.kind != value_kind::choice) << key.path;
    if (key.parent().empty()) continue;
    std::string parent(key.parent());
    const bool in_list = parent.ends_with("[]");
    if (in_list) parent.resize(parent.size() - 2);
    ASSERT_NE(find_key(parent), nullptr) << key.path;
    EXPECT_EQ(find_key(parent)->kind, in_list ? value_kind::mappings : value_kind::mapping) << key.path;
  }
}

TEST(Schema, ItsDefaultsAreThoseOfTheStructs) {
  const auto made = load_text(
      "listeners: [{name: l, address: 'unix:/run/l'}]\nroutes: [{name: r, upstream: u}]\n"
      "upstreams: [{name: u, endpoints: ['db:5432']}]\n",
      "a.yaml");
  ASSERT_TRUE(made.value) << made.problems.front().render();
  settings expected;
  expected.generation = 1;
  expected.file = "a.yaml";
  listener l;
  l.name = "l";
  l.address.path = "/run/l";
  l.tls.mode = listener_tls_mode::disable;
  route r;
  r.name = "r";
  r.upstream = "u";
  upstream u;
  u.name = "u";
  u.endpoints = {{"db", 5432, ""}};
  expected.listeners = {l};
  expected.routes = {r};
  expected.upstreams = {u};
  EXPECT_TRUE(*made.value == expected) << render_yaml(*made.value) << render_yaml(expected);
}

/// docs/configuration.md holds the tables between two marks; `trunkline reference` prints them.
TEST(Reference, IsWhatTheDocumentSays) {
  const auto file = std::filesystem::path(TRUNKLINE_ROOT) / "docs/configuration.md";
  std::ifstream stream(file);
  ASSERT_TRUE(stream) << file;
  std::stringstream content;
  content << stream.rdbuf();
  const std::string text = content.str();
  constexpr std::string_view begin = "<!-- reference: begin -->\n\n";
  constexpr std::string_view end = "<!-- reference: end -->\n";
  const auto from = text.find(begin);
  const auto to = text.find(end);
  ASSERT_NE(from, std::string::npos);
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(text.substr(from + begin.size(), to - from - begin.size()), render_reference())
      << "write the output of `trunkline reference` between the marks of docs/configuration.md";
}

}  // namespace
}  // namespace trunkline::config
