#include "pgbouncer/yaml_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace trunkline::pgbouncer {

namespace {

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out;
}

std::string quoted(std::string_view value) {
  std::string out(value);
  for (std::size_t at = 0; (at = out.find("${", at)) != std::string::npos; at += 3)
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), '$');
  return '"' + escaped(out) + '"';
}

}  // namespace

void yaml_writer::start(std::string_view key) {
  out_.append(static_cast<std::size_t>(depth_ - (item_ ? 1 : 0)) * 2, ' ');
  if (item_) out_ += "- ";
  item_ = false;
  const bool is_word = std::all_of(key.begin(), key.end(), [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  out_ += is_word ? std::string(key) : quoted(key);
  out_ += ':';
}

void yaml_writer::open(std::string_view key) {
  start(key);
  out_ += '\n';
  ++depth_;
}

void yaml_writer::open_item() {
  ++depth_;
  item_ = true;
}

void yaml_writer::plain(std::string_view key, std::string_view value) {
  start(key);
  out_ += fmt::format(" {}\n", value);
}

void yaml_writer::text(std::string_view key, std::string_view value) {
  plain(key, quoted(value));
}

void yaml_writer::variable(std::string_view key, std::string_view name) {
  plain(key, fmt::format("\"${{{}}}\"", name));
}

void yaml_writer::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string all;
  for (const auto& each : values)
    all += (all.empty() ? "" : ", ") + quoted(each);
  plain(key, "[" + all + "]");
}

void yaml_writer::comment(std::string_view text) {
  out_.append(static_cast<std::size_t>(depth_) * 2, ' ');
  out_ += "# ";
  for (const char c : text)
    out_ += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  out_ += '\n';
}

}  // namespace trunkline::pgbouncer
