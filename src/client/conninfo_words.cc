#include "client/conninfo_words.h"

#include <charconv>
#include <optional>
#include <utility>

namespace trunkline::client {
namespace {

using split = std::expected<conninfo_words, std::string>;

constexpr std::string_view blanks = " \t\r\n\f\v";

/// "key = value" pairs; a value may stand in single quotes, and a backslash takes the next character as it
/// is.
class pair_reader {
 public:
  explicit pair_reader(std::string_view text) : rest_(text) {}

  split read() {
    for (skip_blanks(); !rest_.empty(); skip_blanks()) {
      const std::string key(rest_.substr(0, rest_.find_first_of(std::string(blanks) + "=")));
      rest_.remove_prefix(key.size());
      skip_blanks();
      if (key.empty() || !rest_.starts_with('='))
        return std::unexpected("a \"=\" is missing behind a key of the connection string");
      rest_.remove_prefix(1);
      skip_blanks();
      auto value = read_value();
      if (!value) return std::unexpected("the quoted value of \"" + key + "\" has no end");
      words_.insert_or_assign(key, secret_text(std::move(*value)));
    }
    return std::move(words_);
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(blanks), rest_.size())); }

  char take() {
    const char first = rest_.front();
    rest_.remove_prefix(1);
    return first;
  }

  std::optional<std::string> read_value() {
    const bool quoted = rest_.starts_with('\'');
    if (quoted) take();
    std::string value;
    while (!rest_.empty()) {
      if (quoted && rest_.front() == '\'') {
        take();
        return value;
      }
      if (!quoted && blanks.find(rest_.front()) != blanks.npos) break;
      char next = take();
      if (next == '\\' && !rest_.empty()) next = take();
      value += next;
    }
    if (quoted) return std::nullopt;
    return value;
  }

  std::string_view rest_;
  conninfo_words words_;
};

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      made += text[at];
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(at + 1, 2);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || read.ptr != digits.data() + 2 || value == 0) return std::nullopt;
    made += static_cast<char>(value);
    at += 2;
  }
  return made;
}

/// The part of `text` before `mark`, which is taken out of it with the mark; all of it where there is no
/// mark.
std::string_view take_before(std::string_view& text, char mark) {
  const auto at = text.find(mark);
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return before;
}

class url_reader {
 public:
  /// `text` stands behind the scheme.
  explicit url_reader(std::string_view text) : rest_(text) {}

  split read() {
    std::string_view authority = rest_.substr(0, rest_.find_first_of("/?"));
    rest_.remove_prefix(authority.size());
    if (const auto at = authority.rfind('@'); at != authority.npos) {
      std::string_view login = authority.substr(0, at);
      authority.remove_prefix(at + 1);
      put("user", take_before(login, ':'));
      put("password", login);
    }
    read_hosts(authority);
    if (rest_.starts_with('/')) {
      rest_.remove_prefix(1);
      const std::string_view database = rest_.substr(0, rest_.find('?'));
      rest_.remove_prefix(database.size());
      put("dbname", database);
    }
    if (rest_.starts_with('?')) rest_.remove_prefix(1);
    while (!rest_.empty()) {
      std::string_view pair = take_before(rest_, '&');
      const std::string_view key = take_before(pair, '=');
      put(key == "ssl" && pair == "true" ? "sslmode" : key,
          key == "ssl" && pair == "true" ? "require" : pair);
    }
    if (!wrong_.empty()) return std::unexpected(wrong_);
    return std::move(words_);
  }

 private:
  /// Several hosts stand behind commas; an IPv6 address in brackets.
  void read_hosts(std::string_view list) {
    std::string hosts;
    std::string ports;
    bool any_port = false;
    bool first = true;  // an empty name is one too
    while (!list.empty()) {
      std::string_view each = take_before(list, ',');
      std::string_view host = each.substr(0, each.find(':'));
      if (each.starts_with('[')) {
        const auto end = each.find(']');
        if (end == each.npos) wrong_ = "an address in the URL has no closing bracket";
        host = each.substr(1, end == each.npos ? end : end - 1);
        each.remove_prefix(end == each.npos ? each.size() : end + 1);
      } else {
        each.remove_prefix(host.size());
      }
      if (each.starts_with(':')) each.remove_prefix(1);
      any_port = any_port || !each.empty();
      hosts += (first ? "" : ",") + std::string(host);
      first = false;
      ports += std::string(each) + (list.empty() ? "" : ",");
    }
    put("host", hosts);
    if (any_port) put("port", ports);
  }

  void put(std::string_view key, std::string_view value) {
    const auto name = percent_decoded(key);
    auto text = percent_decoded(value);
    if (!name || !text) {
      wrong_ = "a percent sign in the URL is not followed by two hexadecimal digits";
    } else if (!text->empty()) {
      words_.insert_or_assign(*name, secret_text(std::move(*text)));
    }
  }

  std::string_view rest_;
  conninfo_words words_;
  std::string wrong_;
};

}  // namespace

split split_conninfo(std::string_view dsn) {
  for (const std::string_view scheme : {"postgresql://", "postgres://"})
    if (dsn.starts_with(scheme)) return url_reader(dsn.substr(scheme.size())).read();
  return pair_reader(dsn).read();
}

}  // namespace trunkline::client
