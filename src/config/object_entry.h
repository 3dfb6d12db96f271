// One object of the Kubernetes API on its way into a list of the configuration's tree (objects.h). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/objects.h"
#include "config/tree.h"

namespace trunkline::config {

/// The lists of the file that objects of each kind stand in.
inline constexpr std::array<std::string_view, 3> object_lists{"upstreams", "routes", "access.policies"};

struct object_refusal {
  object_verdict::reason why;
  std::string message;
};

struct object_entry {
  const config_object* of = nullptr;
  std::string name = {};  ///< NAMESPACE/NAME
  std::int64_t priority = 0;
  node_ptr tree = {};         ///< as it stands in the list; null: it cannot
  std::string upstream = {};  ///< of a route: as the object names it
  /// What stands in the list where it is refused: a policy that denies and cannot be read denies everybody,
  /// since whom it meant is not known. Null: nothing.
  node_ptr instead = {};
  std::optional<object_refusal> refused = {};
  bool is_examined = false;  ///< load_options::examine has seen it
  std::string doubts = {};   ///< warnings, where it is accepted

  /// Of those that are there, the first reason counts.
  void refuse(object_refusal why) {
    if (!refused) refused = std::move(why);
  }
};

object_entry entry_of(const config_object& object);

/// Which is asked first: the higher priority, then the older one, then by name.
bool comes_before(const object_entry& a, const object_entry& b);

/// "spec.auth.method: is … (expected …)". Places in the lists, which say nothing to who wrote the object, are
/// told in words.
std::string object_message(std::string_view key, std::string_view text, std::string_view expected);

/// `mapping` with this text under `key`.
node_ptr with_text(const node& mapping, std::string_view key, std::string text);
/// The file's tree with these entries at the end of a list of object_lists. What is there and is no list
/// stays as it is.
node with_entries(const node& root, std::string_view list, const std::vector<node_ptr>& entries);
/// How many entries of it the tree has.
std::size_t entries_in(const node& root, std::string_view list);

/// "routes[17].auth.method": the list's number in object_lists, 17, and ".auth.method".
struct object_key {
  std::size_t list;
  std::size_t index;
  std::string_view rest;
};
std::optional<object_key> read_object_key(std::string_view key);

}  // namespace trunkline::config
