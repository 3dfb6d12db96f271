#include "config/tree.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::config {
namespace {

std::string why_refused(std::string_view text) {
  const auto parsed = parse_tree(text);
  if (parsed) return "accepted";
  return fmt::format("{}:{}: {}", parsed.error().where.line, parsed.error().where.column,
                     parsed.error().text);
}

TEST(Tree, KeepsPlacesQuotesAndDuplicates) {
  const auto tree = parse_tree("a: 1\nb:\n  - \"2\"\n  - {c: 3}\na: 4\n");
  ASSERT_TRUE(tree);
  const node& root = **tree;
  ASSERT_EQ(root.entries.size(), 3U);
  EXPECT_EQ(root.entries[2].key, "a");
  EXPECT_EQ(root.entries[2].where.line, 5);
  const auto& list = *root.entries[1].value;
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_TRUE(list.items[0]->quoted);
  EXPECT_FALSE(root.entries[0].value->quoted);
  const auto where = locate(root, "b[1].c");
  EXPECT_EQ(where.line, 4);
  EXPECT_EQ(where.column, 9);
  EXPECT_TRUE(stands(root, "b[1].c"));
  EXPECT_FALSE(stands(root, "b[1].d"));
  EXPECT_FALSE(stands(root, "b[7]"));
  EXPECT_EQ(locate(root, "b[1].d.e").line, 4);
}

TEST(Tree, JsonIsYaml) {
  const auto tree = parse_tree("{\n \"a\": [1, \"x\"],\n \"b\": {}\n}\n");
  ASSERT_TRUE(tree);
  EXPECT_EQ((*tree)->find("a")->items[1]->text, "x");
  EXPECT_EQ((*tree)->find("b")->kind, node_kind::mapping);
}

TEST(Tree, NothingIsNothing) {
  for (const char* empty : {"", "\n", "# only this\n", "---\n", "~"}) {
    const auto tree = parse_tree(empty);
    ASSERT_TRUE(tree) << empty;
    EXPECT_EQ(*tree, nullptr) << empty;
  }
}

TEST(Tree, AliasesStandForWhatTheyName) {
  const auto tree = parse_tree("a: &x {k: v}\nb: *x\n");
  ASSERT_TRUE(tree);
  EXPECT_EQ((*tree)->find("b")->find("k")->text, "v");
}

TEST(Tree, RefusesWhatItCannotMean) {
  EXPECT_EQ(why_refused("a: [1\n"), "2:1: not valid YAML: end of sequence flow not found");
  EXPECT_EQ(why_refused("a: 1\n---\nb: 2\n"), "3:1: a second document");
  EXPECT_EQ(why_refused("a: !!str 1\n"), "1:4: YAML tags have no meaning here");
  EXPECT_EQ(why_refused("a: !secret x\n"), "1:4: YAML tags have no meaning here");
  EXPECT_EQ(why_refused("a: \"\\0\"\n"), "1:4: this text has a NUL byte in it");
  EXPECT_EQ(why_refused("[a]: 1\n"), "1:1: this key is not a plain text");
  EXPECT_EQ(why_refused("a: &x [*x]\n"), "1:8: this alias stands inside what it stands for");
}

TEST(Tree, RefusesBombs) {
  EXPECT_EQ(why_refused(std::string(limits::config_file_bytes + 1, '#')), "0:0: the file is too large");
  EXPECT_TRUE(why_refused(std::string(100'000, '[')).ends_with("nested too deeply"));
  EXPECT_TRUE(why_refused(std::string(100'000, '{')).ends_with("nested too deeply"));
  std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    laughs += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i,
                          i - 1);
  }
  EXPECT_TRUE(why_refused(laughs).ends_with("the document has too many values")) << why_refused(laughs);
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 20; ++i)
    deep += fmt::format("a{0}: &a{0} [*a{1}]\n", i, i - 1);
  EXPECT_TRUE(why_refused(deep).ends_with("nested too deeply")) << why_refused(deep);
  std::string many = "a:\n";
  for (int i = 0; i < 50'001; ++i)
    many += "- x\n";
  EXPECT_TRUE(why_refused(many).ends_with("the document has too many values")) << why_refused(many);
}

TEST(Tree, SixteenLevelsAreEnough) {
  const auto levels = static_cast<std::size_t>(limits::config_depth);
  EXPECT_EQ(why_refused(std::string(levels, '[') + std::string(levels, ']')), "accepted");
  EXPECT_NE(why_refused(std::string(levels + 1, '[') + std::string(levels + 1, ']')), "accepted");
}

}  // namespace
}  // namespace trunkline::config
