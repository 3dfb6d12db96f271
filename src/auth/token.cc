#include "auth/token.h"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "auth/base64.h"
#include "base/limits.h"

namespace trunkline::auth {

namespace {

using json = nlohmann::json;

token_refusal refuse(std::string reason) {
  return {.reason = std::move(reason)};
}

/// A claim as a message may show it.
std::string shown(std::string_view text) {
  constexpr std::size_t shown_max = 100;
  std::string made = "`";
  for (const char c : text.substr(0, shown_max))
    made += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return made + (text.size() > shown_max ? "...`" : "`");
}

/// Null where it is no object, or has a name twice: readers that take the other one would see another token.
json parse_object(const std::string& text) {
  std::vector<std::set<std::string>> names;
  bool twice = false;
  const auto look = [&](int, json::parse_event_t event, json& parsed) {
    if (event == json::parse_event_t::object_start) names.emplace_back();
    if (event == json::parse_event_t::object_end) names.pop_back();
    if (event == json::parse_event_t::key && !names.back().insert(parsed.get<std::string>()).second)
      twice = true;
    return true;
  };
  json made = json::parse(text, look, false);
  return made.is_object() && !twice ? made : json();
}

struct parts {
  json header;
  json claims;
};

std::optional<parts> take_apart(std::string_view token) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  const auto header = base64url_decode(token.substr(0, first));
  const auto claims = base64url_decode(token.substr(first + 1, second - first - 1));
  if (!header || !claims || !base64url_decode(token.substr(second + 1))) return std::nullopt;
  parts made{parse_object(*header), parse_object(*claims)};
  if (made.header.is_null() || made.claims.is_null()) return std::nullopt;
  return made;
}

/// Seconds since 1970, or with a fraction; nothing where it is no number or out of every range.
std::optional<wall_time> time_of(const json& claims, const char* name) {
  constexpr double last = 9e9;  // the year 2255, as far as a clock of nanoseconds goes
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0)) return std::nullopt;
  return wall_time(std::chrono::seconds(static_cast<std::int64_t>(std::min(seconds, last))));
}

std::string claim_text(const json& from, const std::string& name) {
  const auto found = from.find(name);
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// `a.b`: the claim of that name, or else `b` within `a`. Null where there is none.
const json* find_claim(const json& in, std::string_view path) {
  if (const auto whole = in.find(std::string(path)); whole != in.end()) return &*whole;
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const auto outer = in.find(std::string(path.substr(0, dot)));
  if (outer == in.end() || !outer->is_object()) return nullptr;
  return find_claim(*outer, path.substr(dot + 1));  // a path has at most limits::config_text_bytes
}

bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= limits::token_text_bytes &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool has_audience(const json& claims, const std::vector<std::string>& wanted) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  const auto fits = [&](const json& one) {
    return one.is_string() &&
           std::find(wanted.begin(), wanted.end(), one.get_ref<const std::string&>()) != wanted.end();
  };
  return found->is_array() ? std::any_of(found->begin(), found->end(), fits) : fits(*found);
}

/// Empty where the times allow it.
std::string wrong_time(const json& claims, const token_rules& rules, wall_time now) {
  const auto end = time_of(claims, "exp");
  if (!end) return "the token has no end (exp)";
  if (now - rules.clock_skew >= *end) return "the token has expired";
  if (claims.contains("nbf")) {
    const auto begin = time_of(claims, "nbf");
    if (!begin) return "the token's begin (nbf) is no time";
    if (now + rules.clock_skew < *begin) return "the token is not yet valid";
  }
  return "";
}

std::variant<std::vector<std::string>, token_refusal> groups_of(const json& claims,
                                                                const token_rules& rules) {
  std::vector<std::string> made;
  const json* found = rules.groups_claim.empty() ? nullptr : find_claim(claims, rules.groups_claim);
  if (found == nullptr) return made;
  const auto take = [&made](const json& one) {
    if (!one.is_string() || !is_plain_name(one.get_ref<const std::string&>())) return false;
    made.push_back(one.get<std::string>());
    return true;
  };
  const bool sound = found->is_array() ? found->size() <= limits::token_groups &&
                                             std::all_of(found->begin(), found->end(), take)
                                       : take(*found);
  if (!sound) return refuse("the token's groups are no list of names, or too many");
  std::sort(made.begin(), made.end());
  made.erase(std::unique(made.begin(), made.end()), made.end());
  return made;
}

token_verdict identity_of(const json& claims, const token_rules& rules) {
  const json* found = find_claim(claims, rules.principal_claim);
  if (found == nullptr || !found->is_string() || !is_plain_name(found->get_ref<const std::string&>()))
    return refuse("the token has no claim " + shown(rules.principal_claim) + " that is a name");
  auto groups = groups_of(claims, rules);
  if (auto* wrong = std::get_if<token_refusal>(&groups)) return std::move(*wrong);
  return identity{.principal = found->get<std::string>(),
                  .groups = std::move(std::get<std::vector<std::string>>(groups)),
                  .until = time_of(claims, "exp")};
}

/// RFC 8725 section 3.1: which algorithm it is is for us to say, not for the token.
std::variant<signature_algorithm, token_refusal> algorithm_of_header(const json& header,
                                                                     const token_rules& rules) {
  const std::string said = claim_text(header, "alg");
  const auto algorithm = algorithm_of(said);
  const bool allowed =
      algorithm && (rules.algorithms.empty() || std::find(rules.algorithms.begin(), rules.algorithms.end(),
                                                          *algorithm) != rules.algorithms.end());
  if (!allowed) return refuse("the token's signature is " + shown(said) + ", which does not count");
  // RFC 7515 section 4.1.11: what we do not know must not be passed over. We know of nothing there.
  if (header.contains("crit")) return refuse("the token's header asks for what the gateway does not know");
  if (header.contains("b64")) return refuse("the token's payload is not encoded as a token's is");
  return *algorithm;
}

}  // namespace

token_verdict check_token(std::string_view token, const token_rules& rules, const key_set* keys,
                          wall_time now) {
  if (token.size() > limits::token_bytes) return refuse("the token is too long");
  const auto read = take_apart(token);
  if (!read) return refuse("this is not a token");
  const auto algorithm = algorithm_of_header(read->header, rules);
  if (const auto* wrong = std::get_if<token_refusal>(&algorithm)) return *wrong;
  if (const std::string issuer = claim_text(read->claims, "iss"); issuer != rules.issuer)
    return refuse("the token is of issuer " + shown(issuer));
  if (!has_audience(read->claims, rules.audiences)) return refuse("the token is for another audience");
  if (std::string why = wrong_time(read->claims, rules, now); !why.empty()) return refuse(std::move(why));
  const std::string key_id = claim_text(read->header, "kid");
  if (key_id.size() > limits::token_text_bytes) return refuse("the id of the token's key is too long");
  auto who = identity_of(read->claims, rules);
  if (std::holds_alternative<token_refusal>(who)) return who;

  if (keys == nullptr)
    return token_refusal{.reason = "the issuer's keys are not known", .key_is_unknown = true};
  switch (keys->check(token, std::get<signature_algorithm>(algorithm), key_id)) {
    case signature_verdict::good:
      return who;
    case signature_verdict::no_such_key:
      return token_refusal{.reason = key_id.empty()
                                         ? "the token's signature fits none of the issuer's keys"
                                         : "the issuer has no key " + shown(key_id) + " for such a signature",
                           .key_is_unknown = true};
    case signature_verdict::wrong:
      break;
  }
  return refuse("the token's signature is wrong");
}

std::optional<wall_time> claimed_end(std::string_view token) {
  if (token.size() > limits::token_bytes) return std::nullopt;
  const auto read = take_apart(token);
  return read ? time_of(read->claims, "exp") : std::nullopt;
}

}  // namespace trunkline::auth
