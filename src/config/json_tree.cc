#include "config/json_tree.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/limits_kubernetes.h"

namespace trunkline::config {

namespace {

using nlohmann::json;

/// Below the list of a section of the file.
constexpr int depth_most = limits::config_depth - 3;

class json_walk {
 public:
  /// Recurses no deeper than depth_most.
  node_ptr walk(const json& value, int depth) {
    if (++nodes_ > limits::object_values) refuse("has too many values", limits::object_values, "values");
    if (depth > depth_most) refuse("is nested too deeply", depth_most, "levels");
    if (wrong) return nullptr;
    node made;
    if (value.is_object()) {
      made.kind = node_kind::mapping;
      for (const auto& [key, each] : value.items())
        add(made, key, walk(each, depth + 1));
    } else if (value.is_array()) {
      made.kind = node_kind::list;
      for (const auto& each : value)
        add(made, {}, walk(each, depth + 1));
    } else if (!value.is_null()) {
      made.kind = node_kind::scalar;
      made.quoted = value.is_string();
      made.text = made.quoted ? value.get_ref<const std::string&>() : value.dump();
      refuse_nul(made.text);
    }
    return std::make_shared<const node>(std::move(made));
  }

  std::optional<tree_error> wrong;

 private:
  void refuse(std::string text, std::size_t most, std::string_view what) {
    if (!wrong) wrong = tree_error{{}, std::move(text), fmt::format("at most {} {}", most, what)};
  }
  void refuse_nul(const std::string& text) {
    if (!wrong && text.find('\0') != std::string::npos)
      wrong = tree_error{{}, "has a text with a NUL byte in it", "text without it"};
  }
  void add(node& to, const std::string& key, node_ptr child) {
    if (child == nullptr) return;
    refuse_nul(key);
    to.weight += child->weight;
    to.height = std::max(to.height, child->height + 1);
    if (to.kind == node_kind::mapping) {
      to.entries.push_back({key, {}, std::move(child)});
    } else {
      to.items.push_back(std::move(child));
    }
  }

  std::size_t nodes_ = 0;
};

}  // namespace

std::expected<node_ptr, tree_error> tree_of(const json& value) {
  json_walk walk;
  auto made = walk.walk(value, 1);
  if (walk.wrong) return std::unexpected(std::move(*walk.wrong));
  return made;
}

}  // namespace trunkline::config
