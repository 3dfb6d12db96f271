// A YAML document as a tree of marked nodes, under limits (config_file_bytes, config_depth, config_nodes), so
// that no text can make the process recurse, run or allocate without bound. Unlike yaml-cpp's own nodes it
// keeps duplicate keys and says whether a scalar was quoted. Any thread.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

/// Counted from 1; 0 means the file as a whole.
struct place {
  int line = 0;
  int column = 0;
};

struct node;
using node_ptr = std::shared_ptr<const node>;

/// One `key: value` of a mapping, in the order of the file.
struct node_entry {
  std::string key;
  place where;
  node_ptr value;  ///< never null
};

enum class node_kind { null, scalar, list, mapping };

struct node {
  node_kind kind = node_kind::null;
  place where;
  std::string text;     ///< of a scalar, quotes and escapes resolved
  bool quoted = false;  ///< of a scalar
  /// Of a mapping that is an object of the Kubernetes API, and does not stand in the file (objects.h).
  bool of_object = false;
  std::vector<node_ptr> items;
  std::vector<node_entry> entries;
  std::size_t weight = 1;  ///< nodes of the whole subtree, aliases counted in full
  int height = 1;          ///< levels of the whole subtree

  /// The first value under `key`, or null.
  const node* find(std::string_view key) const;
};

/// "a text", "a list": for messages.
std::string_view kind_name(node_kind kind);

struct tree_error {
  place where;
  std::string text;
  std::string expected;
};

/// Null where the document is empty (nothing but comments). One document only, no tags.
std::expected<node_ptr, tree_error> parse_tree(std::string_view text);

/// The place of "listeners[0].tls.mode", or of its nearest parent that stands in the file.
place locate(const node& root, std::string_view key_path);
/// Whether the key itself stands in the file.
bool stands(const node& root, std::string_view key_path);

}  // namespace trunkline::config
