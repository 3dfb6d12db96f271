// The definitions of objects say what the schema says, and deploy/crds holds what is printed.
#include "config/crds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "config/crd_rules.h"
#include "config/schema.h"

namespace trunkline::config {
namespace {

using json = nlohmann::ordered_json;

const json& spec_schema(const json& definition) {
  return definition.at("spec")
      .at("versions")
      .at(0)
      .at("schema")
      .at("openAPIV3Schema")
      .at("properties")
      .at("spec");
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  EXPECT_TRUE(stream) << file;
  std::stringstream content;
  content << stream.rdbuf();
  return content.str();
}

TEST(Crds, AreWhatDeployHolds) {
  const auto folder = std::filesystem::path(TRUNKLINE_ROOT) / "deploy/crds";
  std::string held;
  for (const char* name : {"postgresupstreams", "postgresroutes", "accesspolicies"})
    held += content_of(folder / (std::string(name) + ".yaml"));
  EXPECT_TRUE(held == render_crds()) << "split the output of `trunkline crds` at its `---` into "
                                        "deploy/crds/{postgresupstreams,postgresroutes,"
                                        "accesspolicies}.yaml";
}

/// "match.listener" of each mapping that the schema has, where it is for objects.
std::set<std::string> keys_below(const json& schema, const std::string& path) {
  std::set<std::string> found;
  const json* at = &schema;
  if (at->contains("items")) at = &at->at("items");
  if (!at->contains("properties")) return found;
  for (const auto& [key, each] : at->at("properties").items()) {
    found.insert(path + key);
    found.merge(keys_below(each, path + key + "."));
  }
  return found;
}

TEST(Crds, HaveTheKeysOfTheSchemaThatAreForObjects) {
  const std::pair<object_kind, std::string> sections[] = {{object_kind::upstream, "upstreams[]."},
                                                          {object_kind::route, "routes[]."},
                                                          {object_kind::policy, "access.policies[]."}};
  for (const auto& [kind, section] : sections) {
    std::set<std::string> expected;
    for (const auto& key : schema()) {
      if (!key.path.starts_with(section) || !is_for_objects(key)) continue;
      std::string path = key.path.substr(section.size());
      for (auto at = path.find("[]"); at != std::string::npos; at = path.find("[]"))
        path.erase(at, 2);
      expected.insert(path);
      if (key.kind == value_kind::secret_key || key.kind == value_kind::tls_secret)
        expected.insert(path + ".name");
      if (key.kind == value_kind::secret_key) expected.insert(path + ".key");
    }
    expected.erase("name");
    if (kind != object_kind::upstream) expected.insert("priority");
    EXPECT_EQ(keys_below(spec_schema(definition_of(kind)), ""), expected) << section;
  }
}

TEST(Crds, NameNothingOfTheGatewaysOwn) {
  const std::string all = render_crds();
  for (const char* word : {"File", "password:", "apiServer:", "- trust", "The same"})
    EXPECT_THAT(all, testing::Not(testing::HasSubstr(word)));
}

TEST(Crds, TheirRulesAndPatternsAreForKeysThatAreThere) {
  for (const auto& each : crd_patterns()) {
    ASSERT_NE(find_key(each.path), nullptr) << each.path;
    EXPECT_TRUE(is_for_objects(*find_key(each.path))) << each.path;
  }
  for (const auto& each : crd_rules())
    EXPECT_FALSE(keys_of(each.path).empty()) << each.path;
}

}  // namespace
}  // namespace trunkline::config
