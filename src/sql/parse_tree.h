// The parse tree of a text, as libpg_query writes it in JSON, in one flat table in the order of the text: who
// looks at all of it goes through the table, so a deep tree needs no stack.
//
// Owner: the caller, for one text. Keys and values are views into the JSON, which the tree keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::sql {

struct tree_node {
  enum class type : std::uint8_t { object, array, string, other };
  type kind = type::other;
  std::uint32_t end = 0;   ///< the index behind the last node below this one
  std::string_view key;    ///< of its place in an object; empty: in an array
  std::string_view value;  ///< of a string, as JSON escapes it, or of a number or a truth value
};

class parse_tree {
 public:
  static constexpr std::size_t none = SIZE_MAX;

  /// Shows the text to PostgreSQL's grammar. False: refused. The caller has bounded length and depth: the
  /// grammar itself works on the stack.
  bool parse(const std::string& text);
  /// The same for JSON that is at hand. False: it is none.
  bool read(std::string json);

  const tree_node& operator[](std::size_t index) const { return nodes_[index]; }
  std::size_t size() const { return nodes_.size(); }
  std::size_t first_child(std::size_t parent) const;
  std::size_t next_sibling(std::size_t node, std::size_t parent) const;
  /// The child of an object by its key, or `none`; also where `parent` is none.
  std::size_t find(std::size_t parent, std::string_view key) const;
  /// The value of such a child; empty where there is none.
  std::string_view value(std::size_t parent, std::string_view key) const;
  std::size_t children(std::size_t parent) const;

 private:
  bool read_value(std::string_view key);
  bool read_string(std::string_view& out);
  bool close(char bracket);
  void skip_commas();

  std::string json_;
  std::vector<tree_node> nodes_;
  std::vector<std::uint32_t> open_;
  std::size_t at_ = 0;
};

/// A string's value without JSON's escapes.
std::string plain_text(std::string_view value);

}  // namespace trunkline::sql
