#include "session/client_identity.h"

#include <algorithm>

#include "base/limits.h"
#include "config/glob.h"
#include "config/name_pattern.h"

namespace trunkline::session {

namespace {

using config::certificate_name;

std::vector<std::string> names_of(const tls::certificate_facts& shown, certificate_name kind) {
  switch (kind) {
    case certificate_name::common_name:
      break;
    case certificate_name::dns:
      return shown.dns_names;
    case certificate_name::email:
      return shown.emails;
    case certificate_name::uri:
      return shown.uris;
  }
  if (shown.common_name.empty()) return {};
  return {shown.common_name};
}

/// What a free part of a name does not reach beyond.
char fence_of(certificate_name kind) {
  switch (kind) {
    case certificate_name::dns:
      return '.';
    case certificate_name::email:
      return '@';
    case certificate_name::uri:
      return '/';
    case certificate_name::common_name:
      break;
  }
  return 0;
}

bool any_glob(const std::vector<std::string>& globs, std::string_view text) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& each) { return config::glob_match(each, text); });
}

/// What a principal is made of is never a wildcard: with one that holds such a character only the very text
/// counts.
bool names_user(const std::string& rule, const std::vector<std::string_view>& parts, std::string_view user) {
  if (!config::has_parts(rule)) return config::glob_match(rule, user);
  const std::string filled = config::fill_parts(rule, parts);
  const bool looks_like_a_glob = parts.front().find_first_of("*?") != std::string_view::npos;
  return looks_like_a_glob ? filled == user : config::glob_match(filled, user);
}

bool lets_be(const config::user_rule& rule, const auth::identity& who, std::string_view user) {
  const bool in_group =
      rule.groups.empty() || std::any_of(who.groups.begin(), who.groups.end(),
                                         [&](const auto& each) { return any_glob(rule.groups, each); });
  if (!in_group) return false;
  const auto fits = [&](const std::vector<std::string_view>& parts) {
    return std::any_of(rule.users.begin(), rule.users.end(),
                       [&](const std::string& each) { return names_user(each, parts, user); });
  };
  if (rule.principals.empty()) return fits({who.principal});
  return std::any_of(rule.principals.begin(), rule.principals.end(), [&](const std::string& each) {
    const auto parts = config::name_parts(each, who.principal);
    return parts && fits(*parts);
  });
}

}  // namespace

std::optional<std::string> principal_of(const tls::certificate_facts& shown,
                                        const config::certificate_auth* rules) {
  const config::certificate_auth usual{.map = {{.match = "*"}}};
  for (const auto& rule : (rules == nullptr ? usual : *rules).map) {
    for (const std::string& name : names_of(shown, rule.from)) {
      const auto parts = config::name_parts(rule.match, name, fence_of(rule.from));
      if (!parts) continue;
      std::string made = config::fill_parts(rule.principal, *parts);
      if (!made.empty() && made.size() <= limits::token_text_bytes) return made;
    }
  }
  return std::nullopt;
}

bool may_be(const auth::identity& who, const std::vector<config::user_rule>& rules, std::string_view user) {
  if (rules.empty()) return who.principal == user;
  return std::any_of(rules.begin(), rules.end(), [&](const auto& each) { return lets_be(each, who, user); });
}

}  // namespace trunkline::session
