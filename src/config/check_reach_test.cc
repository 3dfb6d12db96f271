// The routes that are told of as hidden are those that a comparison of each with each finds.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/glob.h"
#include "config/test_support.h"
#include "config/without_secrets.h"

namespace trunkline::config {
namespace {

using texts = std::vector<std::string>;

bool covers(const texts& wide, const texts& narrow) {
  return wide.empty() || (!narrow.empty() && std::all_of(narrow.begin(), narrow.end(), [&](const auto& one) {
           return std::any_of(wide.begin(), wide.end(),
                              [&](const auto& other) { return glob_covers(other, one); });
         }));
}

struct matched {
  texts databases;
  texts users;
  texts listeners;
};

std::string written(const char* key, const texts& list) {
  std::string made;
  for (const auto& each : list)
    made += (made.empty() ? "'" : ", '") + each + "'";
  return list.empty() ? "" : fmt::format("{}: [{}], ", key, made);
}

/// Listeners are named; their patterns are not used here.
bool listeners_cover(const texts& wide, const texts& narrow) {
  return wide.empty() || covers(wide, narrow.empty() ? texts{"a", "b"} : narrow);
}

RC_GTEST_PROP(CheckReach, FindsWhatEachWithEachFinds, ()) {
  const auto some = [](const texts& of) { return *rc::gen::container<texts>(rc::gen::elementOf(of)); };
  std::vector<matched> routes;
  std::string text =
      "listeners: [{name: a, address: 'unix:/a'}, {name: b, address: 'unix:/b'}]\nupstreams: [{name: u, "
      "endpoints: "
      "['unix:/s']}]\nroutes:\n";
  const int count = *rc::gen::inRange(1, 8);
  for (int i = 0; i < count; ++i) {
    const auto few = [&](const texts& of) {
      texts list = some(of);
      if (list.size() > 3) list.resize(3);
      return list;
    };
    matched one{few({"x", "y", "xy", "x*", "*"}), few({"p", "q?", "qr"}), few({"a", "b"})};
    text += fmt::format("- {{name: r{}, upstream: u, match: {{{}{}{}source: 10.0.0.0/8}}}}\n", i,
                        written("database", one.databases), written("user", one.users),
                        written("listener", one.listeners));
    routes.push_back(std::move(one));
  }
  std::vector<std::string> expected;
  for (std::size_t late = 0; late < routes.size(); ++late) {
    for (std::size_t early = 0; early < late; ++early) {
      const auto& [wide, narrow] = std::tie(routes[early], routes[late]);
      if (!covers(wide.databases, narrow.databases) || !covers(wide.users, narrow.users) ||
          !listeners_cover(wide.listeners, narrow.listeners))
        continue;
      expected.push_back(fmt::format("routes[{}]: never used: routes[{}] (r{})", late, early, early));
      break;
    }
  }
  std::vector<std::string> told;
  const auto made = load_text(text, "t", without_files());
  RC_ASSERT(made.value != nullptr);
  for (const auto& each : made.warnings) {
    if (each.text.find("never used") == std::string::npos) continue;
    told.push_back(each.key + ": " + each.text.substr(0, each.text.find(" before it")));
  }
  RC_ASSERT(told == expected);
}

TEST(WithoutSecrets, LeavesTheRestToBeTried) {
  const auto made = load_text(
      "listeners: [{name: a, address: 'unix:/a'}]\n"
      "routes: [{name: r, upstream: u, auth: {method: scram, verifierSecret: {namespace: n, name: users}}}, "
      "{name: f, "
      "match: {user: x}, upstream: v, auth: {method: scram, verifierFile: /v}}]\n"
      "upstreams: [{name: u, endpoints: ['u:1'], tls: {mode: verify-ca, caSecret: {namespace: n, name: "
      "ca}}}, "
      "{name: v, endpoints: ['v:1'], tls: {mode: verify-ca, caFile: /ca, certSecret: {namespace: n, name: "
      "me}}}]\n",
      "t", without_files());
  ASSERT_TRUE(made.value) << made.problems.front().render();
  EXPECT_FALSE(made.value->upstreams[0].tls.ca_file.empty());
  const settings left = without_secrets(*made.value);
  EXPECT_EQ(left.upstreams[0].tls.mode, upstream_tls_mode::disable);
  EXPECT_EQ(left.upstreams[1].tls.mode, upstream_tls_mode::verify_ca);
  EXPECT_EQ(left.upstreams[1].tls.ca_file, "/ca");
  EXPECT_EQ(left.upstreams[1].tls.cert_file + left.upstreams[1].tls.key_file, "");
  EXPECT_EQ(left.routes[0].auth.verifier_file, "");
  EXPECT_EQ(left.routes[1].auth.verifier_file, "/v");
}

}  // namespace
}  // namespace trunkline::config
