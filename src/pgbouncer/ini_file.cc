#include "pgbouncer/ini_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/limits.h"

namespace trunkline::pgbouncer {

namespace {

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r' && c != '\n');
}

bool is_name(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '-' || c == '*';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

struct file_closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// One file after the other into one list.
class ini_reader {
 public:
  explicit ini_reader(const text_reader& read) : read_(read) {}

  bool file(const std::string& path, const place& from, std::size_t depth);
  ini_file found;
  std::optional<config::problem> wrong;

 private:
  bool line(std::string_view text, const place& where, std::size_t depth);
  bool include(std::string_view text, const place& where, std::size_t depth);
  bool section(std::string_view text, const place& where);
  bool entry(std::string_view text, const place& where);
  std::optional<std::string> take_key(std::string_view& text, const place& where);
  bool refuse(const place& where, std::string text, std::string expected) {
    wrong = problem_at(where, "", std::move(text), std::move(expected));
    return false;
  }

  const text_reader& read_;
  std::string section_;
};

bool ini_reader::file(const std::string& path, const place& from, std::size_t depth) {
  if (depth > limits::ini_include_depth) {
    return refuse(from, fmt::format("more than {} files deep", limits::ini_include_depth),
                  "files that do not include each other");
  }
  const auto text = read_(path);
  if (!text) {
    if (from.line > 0) return refuse(from, "cannot read " + path + ": " + text.error(), "a readable file");
    return refuse({.file = path}, "cannot be read: " + text.error(), "a readable file");
  }
  if (std::find(found.files.begin(), found.files.end(), path) == found.files.end())
    found.files.push_back(path);
  std::string_view rest = text->reveal();
  for (place where{.file = path, .line = 1}; !rest.empty(); ++where.line) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (!line(trimmed(rest.substr(0, end)), where, depth)) return false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

bool ini_reader::line(std::string_view text, const place& where, std::size_t depth) {
  if (text.empty() || text.front() == ';' || text.front() == '#') return true;
  if (text.find('\0') != std::string_view::npos) return refuse(where, "holds a zero byte", "text");
  if (found.entries.size() >= limits::ini_entries)
    return refuse(where, fmt::format("more than {} entries", limits::ini_entries), "fewer");
  if (text.front() == '%') return include(text, where, depth);
  if (text.front() == '[') return section(text, where);
  return entry(text, where);
}

bool ini_reader::include(std::string_view text, const place& where, std::size_t depth) {
  constexpr std::string_view word = "%include";
  const bool fits = text.starts_with(word) && text.size() > word.size() && is_blank(text[word.size()]);
  const auto name = fits ? trimmed(text.substr(word.size())) : std::string_view{};
  if (name.empty()) return refuse(where, "is no directive", "%include FILE");
  return file(std::string(name), where, depth + 1);
}

bool ini_reader::section(std::string_view text, const place& where) {
  const auto end = text.find(']');
  if (end == std::string_view::npos) return refuse(where, "the section's name is not closed", "[name]");
  section_ = std::string(text.substr(1, end - 1));
  found.entries.push_back({.section = section_, .key = "", .value = {}, .where = where});
  // PgBouncer reads on behind it.
  const auto rest = trimmed(text.substr(end + 1));
  return rest.empty() || entry(rest, where);
}

std::optional<std::string> ini_reader::take_key(std::string_view& text, const place& where) {
  std::string key;
  if (!text.starts_with('"')) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_name);
    key.assign(text.begin(), end);
    text.remove_prefix(key.size());
    return key;
  }
  text.remove_prefix(1);
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '"' && !text.starts_with('"')) return key;
    if (c == '"') text.remove_prefix(1);
    key += c;
  }
  refuse(where, "a double quote is not closed", "\"name\" = value");
  return std::nullopt;
}

bool ini_reader::entry(std::string_view text, const place& where) {
  auto key = take_key(text, where);
  if (!key) return false;
  text = trimmed(text);
  if (!text.starts_with('=')) {
    return refuse(where, "is no setting",
                  "key = value; names with other characters than letters, digits and _.-* in double quotes");
  }
  if (key->empty()) return refuse(where, "a setting without a name", "key = value");
  if (section_.empty()) return refuse(where, "a setting before any section", "[pgbouncer] or [databases]");
  text.remove_prefix(1);
  found.entries.push_back({.section = section_,
                           .key = std::move(*key),
                           .value = secret_text(std::string(trimmed(text))),
                           .where = where});
  return true;
}

}  // namespace

std::expected<secret_text, std::string> read_text(const std::string& path) {
  errno = 0;
  const std::unique_ptr<std::FILE, file_closer> file(std::fopen(path.c_str(), "rbe"));
  if (!file) return std::unexpected(std::generic_category().message(errno));
  // One byte more than allowed is enough to know that it is too large.
  std::string text(limits::ini_file_bytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  secret_text read(std::move(text));
  if (std::ferror(file.get()) != 0) return std::unexpected(std::generic_category().message(errno));
  if (read.reveal().size() > limits::ini_file_bytes)
    return std::unexpected(fmt::format("longer than {} bytes", limits::ini_file_bytes));
  return read;
}

std::expected<ini_file, config::problem> read_ini(const std::string& path, const text_reader& read) {
  ini_reader reader(read);
  if (!reader.file(path, {}, 0)) return std::unexpected(std::move(*reader.wrong));
  return std::move(reader.found);
}

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

config::problem problem_at(const place& where, std::string key, std::string text, std::string expected) {
  return {.file = printable(where.file),
          .line = where.line,
          .column = 1,
          .key = printable(std::move(key)),
          .text = printable(std::move(text)),
          .expected = std::move(expected)};
}

}  // namespace trunkline::pgbouncer
