// The effective configuration as JSON: what `render_yaml` says, in the other notation, so that there is one
// place that decides what is shown and what is redacted.
#include <fmt/format.h>

#include "config/load.h"
#include "config/tree.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

void append_text(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto code = static_cast<unsigned char>(c);
    if (text.substr(i, 3) == "$${") continue;  // the file's way to write `${`
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20 || code == 0x7f) {
      out += fmt::format("\\u{:04x}", code);
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_scalar(std::string& out, const node& value) {
  const bool bare =
      !value.quoted && (value.text == "true" || value.text == "false" || parse_integer(value.text));
  if (bare) {
    out += value.text;
  } else {
    append_text(out, value.text);
  }
}

void append_node(std::string& out, const node& value) {  // at most limits::config_depth deep
  char before = 0;
  const auto separate = [&](char first) {
    out += before == 0 ? first : ',';
    before = ',';
  };
  switch (value.kind) {
    case node_kind::null:
      out += "null";
      return;
    case node_kind::scalar:
      append_scalar(out, value);
      return;
    case node_kind::list:
      for (const auto& each : value.items) {
        separate('[');
        append_node(out, *each);
      }
      out += before == 0 ? "[]" : "]";
      return;
    case node_kind::mapping:
      for (const auto& each : value.entries) {
        separate('{');
        append_text(out, each.key);
        out += ':';
        append_node(out, *each.value);
      }
      out += before == 0 ? "{}" : "}";
      return;
  }
}

}  // namespace

std::string render_json(const settings& value) {
  std::string out;
  const auto tree = parse_tree(render_yaml(value));
  if (!tree || *tree == nullptr) return "null";  // never: the tests read back what render_yaml writes
  append_node(out, **tree);
  return out;
}

}  // namespace trunkline::config
