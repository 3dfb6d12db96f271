// What TLS shows: the certificate and its names, ALPN, direct TLS, and whether TLS ends before the server.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

#include "doctor/checks.h"
#include "doctor/line.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using tls::certificate_facts;

/// A certificate that ends sooner was not renewed as it should have been: the last fifth of its life, of a
/// long one the last two weeks.
std::chrono::seconds soon(const certificate_facts& of) {
  const auto life = of.not_after - of.not_before;
  return std::min<std::chrono::seconds>(std::chrono::days(14), life / 5);
}

struct seen_tls {
  tls_facts session;
  certificate_facts certificate;
};

/// Over SSLRequest, with this name as SNI.
runtime::task<outcome<seen_tls>> look(examination* of, std::string name) {
  line wire(*of);
  auto connected = co_await line::connect(&wire);
  if (!connected) co_return std::unexpected(std::move(connected.error()));
  auto answer = co_await line::ask_for_tls(&wire);
  if (!answer) co_return std::unexpected(std::move(answer.error()));
  if (*answer != 'S') co_return std::unexpected(failure{failure::kind::tls, "TLS is refused"});
  auto secured = co_await line::start_tls(&wire, of->any_tls, std::move(name), tls::negotiation::ssl_request);
  if (!secured) co_return std::unexpected(std::move(secured.error()));
  const tls::engine& engine = wire.tls()->session();
  seen_tls made{{std::string(engine.version()), std::string(engine.cipher()), std::string(engine.alpn())},
                {}};
  if (const auto certificate = engine.peer_certificate()) made.certificate = *certificate;
  co_return made;
}

std::string names_of(const certificate_facts& of) {
  std::vector<std::string> all = of.dns_names;
  all.insert(all.end(), of.ip_addresses.begin(), of.ip_addresses.end());
  if (all.empty() && !of.common_name.empty()) all.push_back(of.common_name);
  return all.empty() ? "(none)" : fmt::format("{}", fmt::join(all, ", "));
}

std::string date_of(std::chrono::sys_seconds when) {
  return fmt::format("{:%Y-%m-%d}", when);
}

judgement expiring(const certificate_facts& of, std::vector<std::string> evidence, bool expired,
                   const facts& known) {
  return {
      .is = verdict::finding,
      .summary = expired ? "the server's certificate has expired" : "the server's certificate expires soon",
      .evidence = std::move(evidence),
      .weight = expired ? severity::broken : severity::risk,
      .where = "whoever ends TLS at " + known.address,
      .explanation =
          fmt::format("It is valid until {}. Clients with sslmode=verify-full or verify-ca refuse an "
                      "expired one; others do not look.",
                      date_of(of.not_after)),
      .fix =
          "Renew it, and make whoever holds it read it again: PostgreSQL on pg_reload_conf(), a proxy as its "
          "manual says.",
      .pathologies = {"P48"}};
}

judgement misnamed(const std::string& host, std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "the certificate is not for \"" + host + "\"",
          .evidence = std::move(evidence),
          .weight = severity::broken,
          .where = "whoever ends TLS at " + known.address,
          .explanation =
              "With sslmode=verify-full clients refuse it: \"server certificate for ... does not match "
              "host name\".",
          .fix =
              "Put every name that clients use among its subjectAltNames: service, service.namespace, "
              "service.namespace.svc, ….svc.cluster.local, the headless names, the load balancer's.",
          .pathologies = {"P48"}};
}

judgement ends_before(const facts& known) {
  return {.is = verdict::finding,
          .summary = "TLS ends before the server: the last part of the path is plaintext",
          .evidence = {known.tls->version + " with whoever is at " + known.address,
                       "pg_stat_ssl: the server's own connection has no TLS"},
          .weight = severity::risk,
          .where = middle_of(known),
          .explanation =
              "Rows and passwords travel in clear text behind the hop that ends TLS. Channel binding "
              "cannot work across it.",
          .fix =
              "TLS on that hop's server leg (PgBouncer: server_tls_sslmode = verify-full; trunkline: "
              "upstreams[].tls.mode: verify-full), or pass TLS through.",
          .pathologies = {"P40"}};
}

judgement no_alpn(const facts& known) {
  return {.is = verdict::finding,
          .summary = "direct TLS is accepted, but without ALPN",
          .evidence = {"a ClientHello as first bytes: the handshake is complete; no protocol was selected"},
          .weight = severity::risk,
          .where = "whoever ends TLS at " + known.address,
          .explanation =
              "libpq with sslnegotiation=direct ends such a connection: \"direct SSL connection was "
              "established without ALPN protocol negotiation extension\".",
          .fix = "Let the TLS listener announce the ALPN protocol \"postgresql\".",
          .pathologies = {"P39"}};
}

/// Does another SNI bring another certificate?
runtime::task<std::optional<std::string>> try_other_name(examination* of, std::string serial) {
  auto other = co_await look(of, "trunkline-doctor.invalid");
  if (!other) co_return "another SNI: " + other.error().text;
  if (other->certificate.serial == serial) co_return "another SNI: the same certificate";
  co_return "another SNI: another certificate, " + other->certificate.subject;
}

bool demands_name(const client::conninfo& dsn) {
  return dsn.ssl == client::ssl_mode::verify_full;
}

runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  if (of->target.is_unix()) co_return judgements{fine("a unix socket needs no TLS")};
  if (known.negotiation.ssl_answer == 'N' && !known.negotiation.direct_tls)
    co_return judgements{fine("there is no TLS on this path")};
  auto seen = co_await look(of, of->host());
  if (!seen)
    co_return judgements{could_not_tell("the handshake did not come to its end: " + seen.error().text)};
  const certificate_facts& certificate = seen->certificate;
  std::vector<std::string> evidence{fmt::format("{} {}, ALPN {}", seen->session.version, seen->session.cipher,
                                                seen->session.alpn.empty() ? "none" : seen->session.alpn),
                                    fmt::format("certificate {} by {}, until {}", certificate.subject,
                                                certificate.issuer, date_of(certificate.not_after)),
                                    "its names: " + names_of(certificate)};
  if (auto other = co_await try_other_name(of, certificate.serial)) evidence.push_back(std::move(*other));
  const auto now = std::chrono::system_clock::now();
  judgements made;
  if (certificate.not_after < now + soon(certificate))
    made.push_back(expiring(certificate, evidence, certificate.not_after < now, known));
  if (demands_name(*of->dsn) && known.login_failure &&
      known.login_failure->find("mismatch") != std::string::npos)
    made.push_back(misnamed(of->host(), evidence, known));
  if (known.negotiation.direct_tls && !known.negotiation.direct_alpn) made.push_back(no_alpn(known));
  if (known.tls && known.server_leg_tls == false) made.push_back(ends_before(known));
  if (made.empty()) made.push_back(fine("TLS is as it should be", std::move(evidence)));
  co_return made;
}

}  // namespace

const check tls_check{
    .id = "tls", .title = "TLS, and what its certificate says", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
