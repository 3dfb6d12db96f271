#include "auth/oauthbearer.h"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace trunkline::auth {

namespace {

constexpr char bearer_separator = '\x01';

std::unexpected<error> bad_bearer(const char* detail) {
  return fail({.source = error_source::client,
               .code = sqlstates::protocol_violation,
               .message = std::string("malformed OAUTHBEARER message: ") + detail});
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// RFC 6750 section 2.1: what a token is made of.
bool is_token(std::string_view text) {
  const auto end = text.find('=');
  const auto body = text.substr(0, end);
  const bool sound = std::all_of(body.begin(), body.end(), [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/").find(c) != std::string_view::npos;
  });
  if (!sound || body.empty()) return false;
  return end == std::string_view::npos || text.find_first_not_of('=', end) == std::string_view::npos;
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char left, char right) {
           return (left >= 'A' && left <= 'Z' ? static_cast<char>(left - 'A' + 'a') : left) == right;
         });
}

/// "Bearer TOKEN"
result<std::string_view> token_of(std::string_view value) {
  constexpr std::string_view scheme = "bearer";
  if (value.empty()) return value;
  if (!equal_ignoring_case(value.substr(0, scheme.size()), scheme) || value.size() <= scheme.size() ||
      value[scheme.size()] != ' ')
    return bad_bearer("the scheme is not Bearer");
  value.remove_prefix(scheme.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  if (!is_token(value)) return bad_bearer("what follows Bearer is no token");
  return value;
}

}  // namespace

result<std::string_view> parse_oauthbearer(byte_span message) {
  std::string_view text = as_text(message);
  if (text.size() > limits::token_bytes + limits::sasl_message_bytes) return bad_bearer("it is too long");
  // gs2-header: no channel binding, no other identity than the start-up packet's.
  if (text.starts_with("p")) return bad_bearer("there is no channel binding in it");
  if (!text.starts_with("n,,") && !text.starts_with("y,,"))
    return bad_bearer("it must not name an authorization identity");
  text.remove_prefix(3);
  if (!text.starts_with(bearer_separator) || !text.ends_with(bearer_separator))
    return bad_bearer("a separator is missing");
  text.remove_prefix(1);
  std::optional<std::string_view> value;
  for (;;) {
    if (text.empty()) return bad_bearer("its end is missing");
    if (text.front() == bearer_separator) break;
    const auto end = text.find(bearer_separator);
    const auto pair = text.substr(0, end);
    const auto equals = pair.find('=');
    const auto key = pair.substr(0, equals);
    if (equals == std::string_view::npos || key.empty() || !std::all_of(key.begin(), key.end(), is_letter))
      return bad_bearer("a key without a value");
    if (key == "auth") {
      if (value) return bad_bearer("it has two tokens");
      value = pair.substr(equals + 1);
    }
    text.remove_prefix(end + 1);
  }
  if (text.size() != 1) return bad_bearer("something follows its end");
  if (!value) return bad_bearer("it has no token");
  return token_of(*value);
}

std::string oauthbearer_failure(std::string_view scope, std::string_view discovery) {
  nlohmann::ordered_json made;
  made["status"] = "invalid_token";
  made["openid-configuration"] = discovery;
  made["scope"] = scope;
  return made.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

bool is_oauthbearer_acknowledgement(byte_span message) {
  return message.size() == 1 && message.front() == std::byte{1};
}

}  // namespace trunkline::auth
