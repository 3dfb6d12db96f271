#include "sql/literals.h"

#include <algorithm>
#include <array>

namespace trunkline::sql {

namespace {

char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// pg_catalog.text, or text.
bool is_text_type(const parse_tree& tree, std::size_t cast) {
  const std::size_t names = tree.find(tree.find(cast, "typeName"), "names");
  std::size_t last = parse_tree::none;
  for (std::size_t i = tree.first_child(names); i != parse_tree::none; i = tree.next_sibling(i, names))
    last = i;
  return tree.value(tree.find(last, "String"), "sval") == "text";
}

}  // namespace

std::optional<std::string> constant_at(const parse_tree& tree, std::size_t node) {
  if (const std::size_t cast = tree.find(node, "TypeCast"); cast != parse_tree::none) {
    if (!is_text_type(tree, cast)) return std::nullopt;
    node = tree.find(cast, "arg");
  }
  const std::size_t constant = tree.find(node, "A_Const");
  if (const std::size_t text = tree.find(constant, "sval"); text != parse_tree::none)
    return plain_text(tree.value(text, "sval"));
  if (const std::size_t number = tree.find(constant, "ival"); number != parse_tree::none) {
    const std::string_view value = tree.value(number, "ival");  // 0 is left out
    return std::string(value.empty() ? "0" : value);
  }
  if (const std::size_t truth = tree.find(constant, "boolval"); truth != parse_tree::none)
    return tree.value(truth, "boolval") == "true" ? "true" : "false";
  return std::nullopt;
}

std::string folded_name(std::string_view name) {
  std::string out(name);
  std::transform(out.begin(), out.end(), out.begin(), lower_case);
  return out;
}

bool is_true(std::string_view value) {
  const std::string word = folded_name(value);
  return word == "on" || word == "true" || word == "yes" || word == "1";
}

bool is_plain_encoding(std::string_view name) {
  std::string word;
  for (const char each : name) {
    const char c = lower_case(each);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) word += c;
  }
  constexpr std::array<std::string_view, 8> plain{"utf8",       "unicode", "latin",   "sqlascii",
                                                  "windows125", "win125",  "iso8859", "koi8"};
  return std::any_of(plain.begin(), plain.end(),
                     [&](std::string_view each) { return word.starts_with(each); });
}

}  // namespace trunkline::sql
