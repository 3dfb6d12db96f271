#include "pgbouncer/userlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "base/limits.h"

namespace trunkline::pgbouncer {

namespace {

constexpr std::string_view form = "\"user\" \"secret\"";

std::string_view without_leading_space(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\f\v"), text.size()));
  return text;
}

/// `"text"` with doubled quotes inside; takes it off `rest`. Nothing where it does not begin or end so.
std::optional<secret_text> take_quoted(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::nullopt;
  std::string out;
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '"') {
      if (at + 1 == rest.size() || rest[at + 1] != '"') {
        rest.remove_prefix(at + 1);
        return secret_text(std::move(out));
      }
      ++at;
    }
    out += rest[at];
  }
  wipe(out.data(), out.size());
  return std::nullopt;
}

bool is_md5(std::string_view text) {
  return text.size() == 35 && text.starts_with("md5") &&
         text.find_first_not_of("0123456789abcdefABCDEF", 3) == std::string_view::npos;
}

secret_kind kind_of(std::string_view secret) {
  if (secret.empty()) return secret_kind::none;
  if (secret.starts_with("SCRAM-SHA-256$")) return secret_kind::scram;
  return is_md5(secret) ? secret_kind::md5 : secret_kind::plain;
}

}  // namespace

std::expected<userlist, config::problem> read_userlist(const secret_text& text, const std::string& file) {
  userlist users;
  std::string_view rest = text.reveal();
  for (place where{.file = file, .line = 1}; !rest.empty(); ++where.line) {
    const auto end = std::min(rest.find('\n'), rest.size());
    std::string_view line = without_leading_space(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty() || line.front() == ';' || line.front() == '#') continue;
    const auto refuse = [&](std::string problem) {
      return std::unexpected(problem_at(where, "", std::move(problem), std::string(form)));
    };
    const auto name = take_quoted(line);
    line = without_leading_space(line);
    auto secret = name ? take_quoted(line) : std::nullopt;
    if (!secret) return refuse("is no line of an auth_file");
    if (name->empty() || name->reveal().size() > limits::user_name_bytes_max)
      return refuse(
          fmt::format("the user's name is empty or longer than {} bytes", limits::user_name_bytes_max));
    if (users.size() >= limits::user_file_users)
      return refuse(fmt::format("more than {} users", limits::user_file_users));
    const auto kind = kind_of(secret->reveal());
    const bool is_new =
        users.try_emplace(name->reveal(), listed_user{.kind = kind, .secret = std::move(*secret)}).second;
    if (!is_new) return refuse("this user stands in the file twice");
  }
  return users;
}

}  // namespace trunkline::pgbouncer
