// Who a client is, once it has proved it: made by the method of its route, read by policies, limits and
// audit. A value; shared by the session and what it is told to.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trunkline::auth {

struct identity {
  std::string principal;                 ///< never empty; where the method knows no other name, the user's
  std::vector<std::string> groups = {};  ///< sorted, each once
  /// The proof holds until then, as a token does; nothing: as long as the session.
  std::optional<std::chrono::system_clock::time_point> until = {};

  /// What an API server has said of it besides, for questions back to it.
  using fact = std::pair<std::string, std::vector<std::string>>;
  std::string uid = {};
  std::vector<fact> extra = {};

  bool operator==(const identity&) const = default;
};

}  // namespace trunkline::auth
