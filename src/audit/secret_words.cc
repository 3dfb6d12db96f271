#include "audit/secret_words.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "audit/sql_scan.h"

namespace trunkline::audit {

namespace {

bool is_letter(char c) {
  return lower(c) >= 'a' && lower(c) <= 'z';
}

bool starts_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() >= lower_case.size() &&
         equal_ignoring_case(text.substr(0, lower_case.size()), lower_case);
}

constexpr std::array<std::string_view, 9> words_anywhere{"password",    "passwd",  "passphrase",
                                                         "passcode",    "secret",  "credential",
                                                         "private_key", "api_key", "apikey"};

/// Only where no letter goes on: "tokens" and "tokenise" are no secrets.
constexpr std::array<std::string_view, 2> words_that_end{"token", "pwd"};

bool word_of_secrets(std::string_view rest) {
  const char first = lower(rest.front());
  if (first != 'p' && first != 's' && first != 'c' && first != 'a' && first != 't') return false;
  if (std::ranges::any_of(words_anywhere, [&](std::string_view w) { return starts_ignoring_case(rest, w); }))
    return true;
  return std::ranges::any_of(words_that_end, [&](std::string_view w) {
    return starts_ignoring_case(rest, w) && (rest.size() == w.size() || !is_letter(rest[w.size()]));
  });
}

/// md5 and hex digits; fewer than 32 where the text was cut.
bool md5_verifier(std::string_view rest) {
  if (!starts_ignoring_case(rest, "md5")) return false;
  const std::string_view digits = rest.substr(3, 32);
  const auto end = std::ranges::find_if_not(
      digits, [](char c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f'); });
  return end - digits.begin() >= 8;
}

/// scheme://user:password@host
bool address_with_password(std::string_view rest) {
  if (!rest.starts_with("://")) return false;
  rest = rest.substr(3, 2'048);  // so that many of them in one text stay cheap
  const std::string_view address = rest.substr(0, rest.find_first_of("'\" \t\r\n"));
  const std::size_t colon = address.find(':');
  return colon != std::string_view::npos && address.find('@', colon) != std::string_view::npos;
}

}  // namespace

bool holds_verifier(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = lower(text[i]);
    if (c != 's' && c != 'm' && c != ':') continue;
    const std::string_view rest = text.substr(i);
    if (md5_verifier(rest) || address_with_password(rest) || starts_ignoring_case(rest, "scram-sha-256$"))
      return true;
  }
  return false;
}

bool names_secret(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (word_of_secrets(rest)) return true;
  }
  return holds_verifier(text);
}

}  // namespace trunkline::audit
