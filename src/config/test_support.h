// For the tests of the loader: one right configuration whose parts a test replaces, and what is said about
// it.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"

namespace trunkline::config {

inline load_options without_files(std::map<std::string, std::string> environment = {}) {
  load_options options;
  options.check_files = false;
  options.environment = [environment](const std::string& name) -> std::optional<std::string> {
    const auto found = environment.find(name);
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
  return options;
}

/// The rendered form without the name of the file, "t".
inline std::string without_name(const problem& one) {
  return one.render().substr(one.line > 0 ? 2 : 3);
}

/// The rendered problems, without the name of the file.
inline std::vector<std::string> problems_of(std::string_view text,
                                            std::map<std::string, std::string> environment = {}) {
  std::vector<std::string> list;
  const auto made = load_text(text, "t", without_files(std::move(environment)));
  for (const auto& one : made.problems)
    list.push_back(without_name(one));
  EXPECT_EQ(made.value == nullptr, !list.empty());
  return list;
}

inline std::vector<std::string> warnings_of(std::string_view text) {
  std::vector<std::string> list;
  const auto made = load_text(text, "t", without_files());
  EXPECT_THAT(made.problems, testing::IsEmpty()) << made.problems.front().render();
  for (const auto& one : made.warnings)
    list.push_back(without_name(one));
  return list;
}

/// A right configuration, one line each; a test replaces one of them.
struct sample {
  std::string listener = "{name: main, address: 'unix:/run/t.sock'}";
  std::string route = "{name: app, upstream: db}";
  std::string upstream = "{name: db, endpoints: ['db.example.org:5432']}";
  std::string rest = {};

  std::string text() const {
    return fmt::format("listeners:\n- {}\nroutes:\n- {}\nupstreams:\n- {}\n{}", listener, route, upstream,
                       rest);
  }
};

inline std::vector<std::string> with_listener(std::string text) {
  return problems_of(sample{.listener = std::move(text)}.text());
}
inline std::vector<std::string> with_route(std::string text) {
  return problems_of(sample{.route = std::move(text)}.text());
}
inline std::vector<std::string> with_upstream(std::string text) {
  return problems_of(sample{.upstream = std::move(text)}.text());
}
inline std::vector<std::string> with_rest(std::string text) {
  return problems_of(sample{.rest = std::move(text)}.text());
}

inline const std::string tls_listener =
    "{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a.crt, keyFile: a.key}]}}";

}  // namespace trunkline::config
