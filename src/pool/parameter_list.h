// What a server reports of its session with ParameterStatus, as the messages came. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::pool {

class parameter_list {
 public:
  using entry = std::pair<std::string, std::string>;

  void set(std::string_view name, std::string_view value) {
    for (auto& each : entries_) {
      if (each.first == name) {
        each.second = value;
        return;
      }
    }
    entries_.emplace_back(name, value);
  }
  /// `name` in the server's own spelling; null: not reported.
  const std::string* find(std::string_view name) const {
    for (const auto& each : entries_)
      if (each.first == name) return &each.second;
    return nullptr;
  }
  const std::vector<entry>& entries() const { return entries_; }

 private:
  std::vector<entry> entries_;  // a dozen
};

}  // namespace trunkline::pool
