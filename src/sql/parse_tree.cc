#include "sql/parse_tree.h"

#include <pg_query.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace trunkline::sql {

bool parse_tree::parse(const std::string& text) {
  const PgQueryParseResult result = pg_query_parse(text.c_str());
  const bool taken = result.error == nullptr && result.parse_tree != nullptr;
  std::string json;
  if (taken) json = result.parse_tree;
  pg_query_free_parse_result(result);
  return taken && read(std::move(json));
}

void parse_tree::skip_commas() {
  while (at_ < json_.size() && json_[at_] == ',')
    ++at_;
}

bool parse_tree::read_string(std::string_view& out) {
  const std::size_t begin = ++at_;
  while (at_ < json_.size() && json_[at_] != '"')
    at_ += json_[at_] == '\\' ? 2 : 1;
  if (at_ >= json_.size()) return false;
  out = std::string_view(json_).substr(begin, at_ - begin);
  ++at_;
  return true;
}

bool parse_tree::close(char bracket) {
  if (open_.empty()) return false;
  tree_node& node = nodes_[open_.back()];
  if ((node.kind == tree_node::type::object) != (bracket == '}')) return false;
  node.end = static_cast<std::uint32_t>(nodes_.size());
  open_.pop_back();
  ++at_;
  return true;
}

bool parse_tree::read_value(std::string_view key) {
  tree_node node;
  node.end = static_cast<std::uint32_t>(nodes_.size() + 1);
  node.key = key;
  const char first = json_[at_];
  if (first == '{' || first == '[') {
    node.kind = first == '{' ? tree_node::type::object : tree_node::type::array;
    open_.push_back(static_cast<std::uint32_t>(nodes_.size()));
    ++at_;
  } else if (first == '"') {
    node.kind = tree_node::type::string;
    if (!read_string(node.value)) return false;
  } else {
    const std::size_t begin = at_;
    while (at_ < json_.size() && json_[at_] != ',' && json_[at_] != '}' && json_[at_] != ']')
      ++at_;
    if (at_ == begin) return false;
    // Every second node is one, and nobody asks where in the text a thing stands.
    if (key == "location") return true;
    node.value = std::string_view(json_).substr(begin, at_ - begin);
  }
  nodes_.push_back(node);
  return true;
}

bool parse_tree::read(std::string json) {
  json_ = std::move(json);
  nodes_.clear();
  nodes_.reserve(json_.size() / 24);
  open_.clear();
  at_ = 0;
  if (json_.size() >= UINT32_MAX || json_.empty() || json_[0] != '{' || !read_value({})) return false;
  while (!open_.empty()) {
    skip_commas();
    if (at_ >= json_.size()) return false;
    if (json_[at_] == '}' || json_[at_] == ']') {
      if (!close(json_[at_])) return false;
      continue;
    }
    std::string_view key;
    if (nodes_[open_.back()].kind == tree_node::type::object) {
      if (json_[at_] != '"' || !read_string(key) || at_ + 1 >= json_.size() || json_[at_] != ':')
        return false;
      ++at_;
    }
    if (!read_value(key)) return false;
  }
  return at_ == json_.size();
}

std::size_t parse_tree::first_child(std::size_t parent) const {
  return parent != none && parent + 1 < nodes_[parent].end ? parent + 1 : none;
}

std::size_t parse_tree::next_sibling(std::size_t node, std::size_t parent) const {
  return nodes_[node].end < nodes_[parent].end ? nodes_[node].end : none;
}

std::size_t parse_tree::find(std::size_t parent, std::string_view key) const {
  for (std::size_t i = first_child(parent); i != none; i = next_sibling(i, parent))
    if (nodes_[i].key == key) return i;
  return none;
}

std::string_view parse_tree::value(std::size_t parent, std::string_view key) const {
  const std::size_t found = find(parent, key);
  return found == none ? std::string_view{} : nodes_[found].value;
}

std::size_t parse_tree::children(std::size_t parent) const {
  std::size_t count = 0;
  for (std::size_t i = first_child(parent); i != none; i = next_sibling(i, parent))
    ++count;
  return count;
}

std::string plain_text(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\' || i + 1 >= value.size()) {
      out += value[i];
      continue;
    }
    switch (const char kind = value[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        // Only ASCII is written so.
        unsigned code = 0;
        const std::string_view digits = value.substr(i + 1, 4);
        std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        out += static_cast<char>(code);
        i += digits.size();
        break;
      }
      default:
        out += kind;
    }
  }
  return out;
}

}  // namespace trunkline::sql
