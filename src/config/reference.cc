#include "config/reference.h"

#include <fmt/format.h>

#include "config/schema.h"

namespace trunkline::config {

namespace {

/// A bar would end the cell.
std::string cell(std::string text) {
  for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2))
    text.insert(at, "\\");
  return text;
}

std::string default_of(const schema_key& key) {
  if (key.required) return "needed";
  if (!key.default_note.empty()) return key.default_note;
  if (key.default_text.empty()) return "";
  return fmt::format("`{}`", key.default_text);
}

std::string holds(const schema_key& key) {
  if (key.kind == value_kind::later) return "a later version; refused";
  if (key.kind == value_kind::mappings || key.kind == value_kind::mapping) {
    return fmt::format("{}, see below", key.kind == value_kind::mapping ? "a mapping" : "a list of mappings");
  }
  if (key.kind != value_kind::choice) return expectation(key);
  std::string words;
  for (const auto& word : key.choices)
    words += fmt::format("{}`{}`", words.empty() ? "" : ", ", word);
  if (!key.later.empty()) words += fmt::format(" (later: {})", enumerate(key.later));
  return words;
}

void write_table(std::string& out, std::string_view parent) {
  out += parent.empty() ? "### Top level\n\n" : fmt::format("### `{}`\n\n", parent);
  out += "| key | holds | default | meaning |\n|---|---|---|---|\n";
  for (const auto* key : keys_of(parent)) {
    out += fmt::format("| `{}` | {} | {} | {} |\n", key->leaf(), cell(holds(*key)), cell(default_of(*key)),
                       cell(key->doc));
  }
  out += '\n';
}

}  // namespace

std::string render_reference() {
  std::string out;
  write_table(out, "");
  for (const auto& key : schema()) {
    if (key.kind == value_kind::mapping) write_table(out, key.path);
    if (key.kind == value_kind::mappings) write_table(out, key.path + "[]");
  }
  write_table(out, secret_key_path);
  write_table(out, tls_secret_path);
  return out;
}

}  // namespace trunkline::config
