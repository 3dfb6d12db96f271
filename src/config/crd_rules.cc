#include "config/crd_rules.h"

#include <array>

namespace trunkline::config {

namespace {

constexpr std::array text_patterns{
    crd_pattern{"routes[].upstream", "^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9._-]+$"},
    crd_pattern{"routes[].credentials.ephemeral.prefix", "^[A-Za-z0-9_.-]+$"},
    crd_pattern{"upstreams[].discovery.kubernetes.namespace", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    crd_pattern{"upstreams[].discovery.kubernetes.service", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    crd_pattern{"upstreams[].discovery.kubernetes.cluster.name", "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
    crd_pattern{"upstreams[].discovery.kubernetes.caSecret.name", "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
    crd_pattern{"access.policies[].subjects.serviceAccount", "^[^/]+/[^/]+$"},
    crd_pattern{"access.policies[].subjects.spiffe", "^spiffe://"},
    crd_pattern{"access.policies[].hours.days",
                "^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"},
    crd_pattern{"access.policies[].hours.from", "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    crd_pattern{"access.policies[].hours.until", "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"},
    crd_pattern{"access.policies[].denied", "^(ddl|copyProgram|do|roles|unqualifiedWrite)$"},
};

constexpr std::array upstream_rules{
    crd_rule{"upstreams[]",
             "has(self.endpoints) || (has(self.discovery) && (has(self.discovery.dns) || "
             "has(self.discovery.srv) || "
             "has(self.discovery.kubernetes)))",
             "endpoints, or discovery by dns, srv or kubernetes, must say where the servers are"},
    crd_rule{
        "upstreams[]",
        "!has(self.tls) || !has(self.tls.mode) || self.tls.mode != 'verify-ca' || has(self.tls.caSecret) || "
        "(has(self.discovery) && has(self.discovery.kubernetes) && has(self.discovery.kubernetes.caSecret))",
        "tls.mode verify-ca needs tls.caSecret: without it any public certificate would do"},
    crd_rule{
        "upstreams[]",
        "!has(self.tls) || !has(self.tls.caSecret) || !has(self.discovery) || "
        "!has(self.discovery.kubernetes) || "
        "!has(self.discovery.kubernetes.caSecret)",
        "tls.caSecret and discovery.kubernetes.caSecret both say who signs certificates; only one can hold"},
    crd_rule{"upstreams[].discovery",
             "[has(self.dns), has(self.srv), has(self.kubernetes)].filter(x, x).size() <= 1",
             "only one of dns, srv and kubernetes can hold"},
    crd_rule{"upstreams[].discovery.kubernetes", "has(self.service) != has(self.cluster)",
             "either service or cluster is needed"},
    crd_rule{"upstreams[].discovery.kubernetes",
             "!has(self.caSecret) || has(self.caSecret.name) || (has(self.cluster) && self.cluster.operator "
             "!= 'zalando')",
             "caSecret needs a name: there is no operator that keeps one of its own"},
    crd_rule{"upstreams[].health", "has(self.user) || !has(self.passwordSecret)",
             "passwordSecret needs the user whose password it is"},
    crd_rule{"upstreams[].health",
             "has(self.user) || !has(self.maxReplicaLag) || self.maxReplicaLag.matches('^0(ms|s|m|h)?$')",
             "maxReplicaLag cannot be known without a user that logs in"},
    crd_rule{"upstreams[].pool", "!has(self.minIdle) || self.minIdle <= (has(self.size) ? self.size : 20)",
             "minIdle is more than the pool's size (20 where it is left out)"},
    crd_rule{"upstreams[].tls",
             "!has(self.direct) || !self.direct || !has(self.mode) || !(self.mode in ['disable', 'prefer'])",
             "direct does not go with a mode that may be plaintext"},
    crd_rule{"upstreams[].tls",
             "!has(self.caSecret) || !has(self.mode) || self.mode in ['verify-ca', 'verify-full']",
             "caSecret is not used with a mode that does not check the server's certificate"},
};

constexpr std::array route_rules{
    crd_rule{
        "routes[]",
        "!has(self.credentials) || (has(self.auth) && has(self.auth.method) && self.auth.method != 'server')",
        "credentials have no use where the server authenticates the client (auth.method server)"},
    crd_rule{"routes[]",
             "!has(self.auth) || !has(self.auth.method) || self.auth.method != 'scram' || "
             "has(self.auth.verifierSecret) || "
             "has(self.auth.query) || (has(self.credentials) && has(self.credentials.passwordSecret))",
             "auth.method scram needs auth.verifierSecret, auth.query or credentials.passwordSecret to check "
             "a client "
             "against"},
    crd_rule{"routes[]",
             "!has(self.pooling) || self.pooling == 'off' || (has(self.auth) && has(self.auth.method) && "
             "self.auth.method != "
             "'server')",
             "pooling needs the gateway to authenticate clients: auth.method server asks each for a proof of "
             "its own"},
    crd_rule{"routes[]",
             "!has(self.onUnsafe) || self.onUnsafe == 'pin' || (has(self.pooling) && self.pooling != 'off')",
             "onUnsafe refuse has no use without pooling"},
    crd_rule{"routes[]",
             "!has(self.credentials) || !has(self.credentials.ephemeral) || !has(self.target) || self.target "
             "== 'primary'",
             "credentials.ephemeral needs target primary"},
    crd_rule{"routes[]",
             "!has(self.settings) || !['user', 'database', 'replication', 'options'].exists(k, k in "
             "self.settings)",
             "user, database, replication and options are parts of the start-up itself, not settings"},
    crd_rule{"routes[].auth", "!has(self.verifierSecret) || !has(self.query)",
             "only one of verifierSecret and query can tell"},
    crd_rule{
        "routes[].auth",
        "(!has(self.verifierSecret) && !has(self.query)) || (has(self.method) && self.method == 'scram')",
        "verifierSecret and query have a use with method scram only"},
    crd_rule{"routes[].auth", "!has(self.certificate) || (has(self.method) && self.method == 'cert')",
             "certificate has a use with method cert only"},
    crd_rule{"routes[].auth", "has(self.jwt) == (has(self.method) && self.method == 'jwt')",
             "method jwt and the key jwt need each other"},
    crd_rule{"routes[].auth", "has(self.kubernetes) == (has(self.method) && self.method == 'kubernetes')",
             "method kubernetes and the key kubernetes need each other"},
    crd_rule{"routes[].auth",
             "(!has(self.userMap) && (!has(self.disconnectExpired) || !self.disconnectExpired)) || "
             "(has(self.method) && "
             "self.method in ['cert', 'jwt', 'kubernetes'])",
             "userMap and disconnectExpired have a use with methods cert, jwt and kubernetes only"},
    crd_rule{"routes[].credentials", "has(self.user) || has(self.ephemeral)", "user or ephemeral is needed"},
    crd_rule{"routes[].credentials.ephemeral", "!has(self.prefix) || !self.prefix.startsWith('pg_')",
             "prefix is not what a role's name can begin with"},
};

constexpr std::array policy_rules{
    crd_rule{"access.policies[]",
             "!has(self.effect) || self.effect != 'deny' || !((has(self.level) && self.level != 'write') || "
             "has(self.role) || has(self.denied) || (has(self.replication) && self.replication) || "
             "(has(self.maxLength) && "
             "!self.maxLength.matches('^0(ms|s|m|h)?$')) || has(self.settings) || has(self.approval) || "
             "(has(self.limits) && "
             "((has(self.limits.rows) && self.limits.rows > 0) || (has(self.limits.bytes) && "
             "!self.limits.bytes.matches('^0(KiB|MiB|GiB)?$')))))",
             "a policy that denies gives nothing: no level, role, denied, replication, maxLength, settings, "
             "limits or "
             "approval"},
    crd_rule{"access.policies[]",
             "!has(self.settings) || !['role', 'session_authorization', 'default_transaction_read_only', "
             "'standard_conforming_strings', 'user', 'database', 'replication', 'options', "
             "'client_encoding'].exists(k, k in "
             "self.settings)",
             "settings has one that is not for a policy to set"},
    crd_rule{"access.policies[]", "!has(self.role) || self.role != 'none'", "none is no role"},
    crd_rule{"access.policies[].subjects",
             "has(self.user) || has(self.group) || has(self.serviceAccount) || has(self.spiffe)",
             "user, group, serviceAccount or spiffe must say whom it is for"},
    crd_rule{"access.policies[].approval", "has(self.anyOf) || has(self.allOf)",
             "anyOf or allOf must say who may approve"},
    crd_rule{"access.policies[].approval",
             "has(self.anyOf) || !has(self.allOf) || !has(self.count) || self.count <= self.allOf.size()",
             "count is more than there are groups in allOf"},
    crd_rule{"access.policies[].hours",
             "(has(self.from) ? self.from : '00:00') != (has(self.until) ? self.until : '24:00')",
             "from and until are the same"},
};

constexpr auto all_rules = [] {
  std::array<crd_rule, upstream_rules.size() + route_rules.size() + policy_rules.size()> made{};
  auto* to = made.data();
  for (const auto& each : upstream_rules)
    *to++ = each;
  for (const auto& each : route_rules)
    *to++ = each;
  for (const auto& each : policy_rules)
    *to++ = each;
  return made;
}();

}  // namespace

std::span<const crd_pattern> crd_patterns() {
  return text_patterns;
}

std::span<const crd_rule> crd_rules() {
  return all_rules;
}

}  // namespace trunkline::config
