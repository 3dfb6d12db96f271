#include "auth/user_file.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "auth/md5.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

struct line_entry {
  std::string name;
  std::optional<user_secret> secret;  ///< nullopt: a role without a password
};

/// Parsing of one line fails with words only; the file's name and the line's number are put before them.
template <class T>
using parsed = std::expected<T, std::string>;

error file_error(std::string_view where, std::string_view problem, std::string hint = {}) {
  return {.source = error_source::gateway,
          .reaction = error_reaction::reject,
          .code = sqlstates::invalid_authorization,
          .message = fmt::format("{}: {}", where, problem),
          .hint = std::move(hint)};
}

std::string_view without_leading_space(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text;
}

parsed<user_secret> read_hashed(std::string_view text) {
  if (looks_like_md5_hash(text)) return md5_secret{secret_text{std::string(text)}};
  auto read = parse_verifier(text);
  if (!read) return std::unexpected(std::move(read.error().message));
  return std::move(*read);
}

/// `"text"` with doubled quotes inside; takes it off `rest`.
parsed<std::string> take_quoted(std::string_view& rest) {
  if (!rest.starts_with('"')) return std::unexpected("expected a double quote");
  std::string out;
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '"') {
      if (at + 1 == rest.size() || rest[at + 1] != '"') {
        rest.remove_prefix(at + 1);
        return out;
      }
      ++at;
    }
    out += rest[at];
  }
  wipe(out.data(), out.size());
  return std::unexpected("a double quote is not closed");
}

/// PgBouncer's form: "name" "secret".
parsed<line_entry> read_quoted_line(std::string_view line) {
  auto name = take_quoted(line);
  if (!name) return std::unexpected(name.error());
  line = without_leading_space(line);
  auto secret = take_quoted(line);
  if (!secret) return std::unexpected(secret.error());
  // PgBouncer passes over what follows the second quote on a line, so do we.
  const secret_text text{std::move(*secret)};
  line_entry entry{.name = std::move(*name), .secret = std::nullopt};
  if (text.reveal().starts_with("SCRAM-SHA-256$") || looks_like_md5_hash(text.reveal())) {
    auto hashed = read_hashed(text.reveal());
    if (!hashed) return std::unexpected(hashed.error());
    entry.secret = std::move(*hashed);
  } else if (!text.empty()) {
    entry.secret = plaintext_secret{text};
  }
  return entry;
}

/// name|secret or name:secret. Names may hold both separators, so the secret's beginning decides.
parsed<line_entry> read_separated_line(std::string_view line) {
  for (std::string_view beginning : {"SCRAM-SHA-256$", "md5"}) {
    const std::size_t at = line.rfind(beginning);
    if (at == std::string_view::npos || at == 0) continue;
    if (line[at - 1] != '|' && line[at - 1] != ':') continue;
    auto secret = read_hashed(line.substr(at));
    if (!secret) return std::unexpected(secret.error());
    return line_entry{.name = std::string(line.substr(0, at - 1)), .secret = std::move(*secret)};
  }
  if (line.ends_with('|')) {
    return line_entry{.name = std::string(line.substr(0, line.size() - 1)), .secret = std::nullopt};
  }
  return std::unexpected("expected name|SCRAM-SHA-256$..., name:SCRAM-SHA-256$... or \"name\" \"secret\"");
}

parsed<std::optional<line_entry>> read_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::string_view begin = without_leading_space(line);
  if (begin.empty() || begin[0] == '#' || begin[0] == ';') return std::nullopt;
  auto entry = begin[0] == '"' ? read_quoted_line(begin) : read_separated_line(line);
  if (!entry) return std::unexpected(std::move(entry.error()));
  if (entry->name.empty() || entry->name.size() > limits::user_name_bytes_max) {
    return std::unexpected(
        fmt::format("the user's name is empty or longer than {} bytes", limits::user_name_bytes_max));
  }
  return std::move(*entry);
}

}  // namespace

result<user_file> user_file::parse(std::string_view text, std::string_view file_name) {
  if (text.size() > limits::user_file_bytes) {
    return fail(file_error(file_name, fmt::format("longer than {} bytes", limits::user_file_bytes)));
  }
  user_file out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    auto entry = read_line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto refuse = [&](std::string_view problem) {
      return fail(file_error(fmt::format("{}:{}", file_name, number), problem));
    };
    if (!entry) return refuse(entry.error());
    if (!*entry || !(*entry)->secret) continue;
    if (out.users_.size() == limits::user_file_users) {
      return refuse(fmt::format("more than {} users", limits::user_file_users));
    }
    if (!out.users_.try_emplace(std::move((*entry)->name), std::move(*(*entry)->secret)).second) {
      return refuse("this user stands in the file twice");
    }
  }
  out.usual_iterations_ = out.count_usual_iterations();
  return out;
}

const user_secret* user_file::find(std::string_view user) const {
  const auto at = users_.find(user);
  return at == users_.end() ? nullptr : &at->second;
}

result<const verifier*> user_file::find_verifier(std::string_view user) const {
  const std::string who = fmt::format("user \"{}\"", user);
  const user_secret* secret = find(user);
  if (secret == nullptr) return fail(file_error(who, "no such user in the verifier file"));
  if (const auto* found = std::get_if<verifier>(secret)) return found;
  if (std::holds_alternative<md5_secret>(*secret)) {
    return fail(file_error(who, "its secret is an md5 hash, which SCRAM cannot use",
                           "Set password_encryption = 'scram-sha-256' on the server, set the password again, "
                           "and copy the new verifier from pg_authid."));
  }
  return fail(
      file_error(who, "its secret is a plaintext password, from which the keys must first be derived"));
}

std::uint32_t user_file::count_usual_iterations() const {
  std::map<std::uint32_t, std::size_t> counts;
  std::uint32_t usual = default_iterations;
  for (const auto& [name, secret] : users_) {
    const auto* found = std::get_if<verifier>(&secret);
    if (found != nullptr && ++counts[found->iterations] > counts[usual]) usual = found->iterations;
  }
  return usual;
}

}  // namespace trunkline::auth
