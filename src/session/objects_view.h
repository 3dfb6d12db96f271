// What a gateway knows of the objects of Kubernetes that are its configuration, for those who look. Plain
// data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::session {

struct kind_view {
  std::string kind;  ///< PostgresUpstream | PostgresRoute | AccessPolicy
  std::size_t accepted = 0;
  std::size_t refused = 0;
  std::optional<double> age_seconds;  ///< since the API server last said that it is so; nothing: never
  std::string problem;                ///< empty: none
};

struct object_view {
  std::string kind;
  std::string name_space;
  std::string name;
  std::int64_t generation = 0;
  bool accepted = false;
  std::string reason;
  std::string message;
  bool programmed = false;
};

struct objects_view {
  bool enabled = false;
  bool leads = false;  ///< this replica writes status
  std::string leader;  ///< who does; empty: not known
  std::vector<kind_view> kinds;
  std::vector<object_view> objects;
};

}  // namespace trunkline::session
