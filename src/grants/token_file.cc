#include "grants/token_file.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "base/limits.h"

namespace trunkline::grants {

namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::istringstream from{std::string(line)};
  std::vector<std::string> made;
  for (std::string word; from >> word;)
    made.push_back(std::move(word));
  return made;
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> made;
  while (!text.empty()) {
    const auto end = text.find(',');
    if (end != 0) made.emplace_back(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return made;
}

std::optional<auth::digest> digest_of(std::string_view hex) {
  auth::digest made{};
  if (hex.size() != 2 * made.size()) return std::nullopt;
  for (std::size_t i = 0; i < made.size(); ++i) {
    unsigned value = 0;
    const char* const at = hex.data() + 2 * i;
    const auto done = std::from_chars(at, at + 2, value, 16);
    if (done.ec != std::errc{} || done.ptr != at + 2) return std::nullopt;
    made[i] = static_cast<std::byte>(value);
  }
  return made;
}

}  // namespace

result<token_file> token_file::parse(std::string_view text, const std::string& name) {
  token_file made;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    const auto words = words_of(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (words.empty() || words[0].starts_with('#')) continue;
    const auto hash = words.size() < 2 ? std::nullopt : digest_of(words[1]);
    if (!hash || words.size() > 3)
      return fail(
          {.message = fmt::format("{}:{}: expected a name, the SHA-256 of a token (64 hexadecimal digits), "
                                  "and groups with commas between them or none",
                                  name, number)});
    made.entries_.push_back(
        {.hash = *hash,
         .who = {.principal = words[0],
                 .groups = words.size() == 3 ? list_of(words[2]) : std::vector<std::string>()}});
  }
  return made;
}

result<token_file> token_file::read(const std::string& path) {
  std::ifstream from(path, std::ios::binary);
  std::string text(limits::config_file_bytes + 1, '\0');
  from.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!from.is_open() || from.bad()) return fail({.message = path + ": cannot be read"});
  text.resize(static_cast<std::size_t>(from.gcount()));
  if (text.size() > limits::config_file_bytes) return fail({.message = path + ": is longer than 1 MiB"});
  return parse(text, path);
}

std::optional<person> token_file::who(const secret_text& token) const {
  if (token.empty()) return std::nullopt;
  const auto hash = auth::sha256({as_bytes(token.reveal())});
  const person* found = nullptr;
  for (const entry& each : entries_) {
    if (auth::equal_in_constant_time(each.hash, hash)) found = &each.who;
  }
  if (found == nullptr) return std::nullopt;
  return *found;
}

}  // namespace trunkline::grants
