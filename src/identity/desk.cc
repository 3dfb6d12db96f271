#include "identity/desk.h"

#include <utility>
#include <vector>

#include "base/limits.h"
#include "config/pod.h"
#include "identity/authorizer.h"
#include "identity/files.h"
#include "identity/joined.h"

namespace trunkline::identity {

namespace {

std::string text_of(const config::issuer_keys& keys) {
  return joined({keys.issuer, keys.jwks_file, keys.jwks_uri, keys.ca_file});
}

/// "https://host:port"
std::string host_of(std::string_view url) {
  const auto begin = url.find("://");
  return std::string(url.substr(0, url.find('/', begin == std::string_view::npos ? 0 : begin + 3)));
}

template <class Map>
void prune_map(Map& all) {
  std::erase_if(all, [](const auto& each) { return each.second.use_count() == 1; });
}

}  // namespace

desk::desk(telemetry::logger& log)
    : log_(log), known_(std::make_shared<auth::token_cache>(limits::token_cache_entries)) {}

result<> desk::use_keys(const config::issuer_keys& from, const own_token& token, token_checker::parts& to) {
  if (!from.are_fetched()) {
    auto keys = read_key_file(from.jwks_file);
    if (!keys) return fail(keys.error());
    to.fixed_keys = std::move(*keys);
    return {};
  }
  auto& known = issuers_[text_of(from) + joined({token.file, token.host})];
  if (known == nullptr) known = std::make_shared<issuer>(from, token, log_);
  to.keys_from = known;
  return {};
}

result<std::shared_ptr<const token_checker>> desk::jwt_checker(const config::jwt_auth& of) {
  token_checker::parts parts;
  if (auto used = use_keys(of.keys, {}, parts); !used) return fail(used.error());
  parts.rules = {.issuer = of.keys.issuer,
                 .audiences = of.audiences,
                 .principal_claim = of.principal_claim,
                 .groups_claim = of.groups_claim,
                 .clock_skew = of.clock_skew};
  for (const auto& each : of.algorithms) {
    if (const auto known = auth::algorithm_of(each)) parts.rules.algorithms.push_back(*known);
  }
  parts.known = known_;
  parts.text = "jwt" + text_of(of.keys) + joined(of.audiences) + joined(of.algorithms) +
               joined({of.principal_claim, of.groups_claim, std::to_string(of.clock_skew.count())});
  return std::make_shared<const token_checker>(std::move(parts));
}

std::string desk::name_of(const config::kubernetes_auth& of) {
  return joined({of.api_server, of.ca_file, of.token_file});
}

void desk::use_api_server(const config::kubernetes_auth& of, token_checker::parts& to) {
  auto& reviews = reviewers_[name_of(of) + joined(of.audiences)];
  if (reviews == nullptr) reviews = std::make_shared<reviewer>(of);
  to.reviewer = reviews;
  if (!of.authorization) return;
  auto& access = authorizers_[name_of(of)];
  if (access == nullptr) access = std::make_shared<authorizer>(of, reviews_, log_);
  to.authorizer = access;
}

result<std::shared_ptr<const token_checker>> desk::kubernetes_checker(const config::kubernetes_auth& of) {
  if (of.is_the_pods()) return fail({.message = config::no_pod});
  token_checker::parts parts;
  parts.service_accounts = true;
  parts.known = known_;
  parts.text = "kubernetes" + joined({of.api_server, of.ca_file}) + joined(of.audiences);
  if (of.offline) {
    const own_token token{.file = of.token_file, .host = host_of(of.api_server)};
    const bool shown = !of.api_server.empty();
    if (auto used = use_keys(*of.offline, shown ? token : own_token{}, parts); !used)
      return fail(used.error());
    parts.rules = {
        .issuer = of.offline->issuer, .audiences = of.audiences, .clock_skew = config::jwt_auth{}.clock_skew};
    parts.text += text_of(*of.offline);
  }
  if (!of.api_server.empty()) use_api_server(of, parts);
  return std::make_shared<const token_checker>(std::move(parts));
}

result<std::shared_ptr<const token_checker>> desk::checker_of(const config::route_auth& auth) {
  if (auth.method == config::auth_method::jwt && auth.jwt) return jwt_checker(*auth.jwt);
  if (auth.method == config::auth_method::kubernetes && auth.kubernetes)
    return kubernetes_checker(*auth.kubernetes);
  return nullptr;
}

void desk::prune() {
  prune_map(issuers_);
  prune_map(reviewers_);
  prune_map(authorizers_);
}

void desk::stop() {
  for (auto& [name, each] : issuers_)
    each->stop();
  for (auto& [name, each] : reviewers_)
    each->stop();
  for (auto& [name, each] : authorizers_)
    each->stop();
}

result<> check_key_files(const config::route_auth& auth) {
  const config::issuer_keys* keys = auth.jwt ? &auth.jwt->keys : nullptr;
  if (auth.kubernetes && auth.kubernetes->offline) keys = &*auth.kubernetes->offline;
  if (keys == nullptr || keys->are_fetched()) return {};
  if (auto read = read_key_file(keys->jwks_file); !read) return fail(read.error());
  return {};
}

}  // namespace trunkline::identity
