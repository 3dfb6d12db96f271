// Which ways to log in are offered, and does channel binding survive the path?
#include <fmt/format.h>

#include <algorithm>

#include "doctor/checks.h"
#include "doctor/session.h"
#include "protocol/authentication.h"

namespace trunkline::doctor {
namespace {

struct offer {
  std::string method;
  std::vector<std::string> mechanisms;
  bool tls = false;  ///< of the connection that was asked over
};

/// What StartupMessage is answered with; the login goes no further.
runtime::task<outcome<offer>> ask_offer(examination* of) {
  line wire(*of);
  auto opened = co_await line::open(&wire);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const std::vector<protocol::startup_parameter> parameters{{"user", of->dsn->user},
                                                            {"database", of->dsn->database}};
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {}, parameters);
  wire.write(packet);
  auto came = co_await line::next(&wire);
  if (!came) co_return std::unexpected(std::move(came.error()));
  if (came->type != 'R') co_return std::unexpected(failure{failure::kind::protocol, "no login is offered"});
  const auto message = protocol::decode_authentication(came->body);
  if (!message) co_return std::unexpected(failure{failure::kind::protocol, message.error().message});
  offer made{"no password", {}, wire.tls() != nullptr};
  if (const auto* sasl = std::get_if<protocol::authentication_sasl>(&*message)) {
    made.method = "SASL";
    made.mechanisms.assign(sasl->mechanisms.begin(), sasl->mechanisms.end());
  } else if (std::holds_alternative<protocol::authentication_md5_password>(*message)) {
    made.method = "md5";
  } else if (std::holds_alternative<protocol::authentication_cleartext_password>(*message)) {
    made.method = "password in clear text";
  } else if (!std::holds_alternative<protocol::authentication_ok>(*message)) {
    made.method = "GSSAPI or SSPI";
  }
  co_return made;
}

bool has(const offer& of, std::string_view mechanism) {
  return std::ranges::find(of.mechanisms, mechanism) != of.mechanisms.end();
}

judgement no_binding(std::vector<std::string> evidence, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = "channel binding is not offered over TLS",
      .evidence = std::move(evidence),
      .weight = severity::risk,
      .sure = is_proxied(known) ? confidence::likely : confidence::hint,
      .where = middle_of(known),
      .explanation =
          "A PostgreSQL server with TLS offers SCRAM-SHA-256-PLUS. Its absence says that TLS ends "
          "before the server, or that its certificate has no hash (Ed25519). Clients with "
          "channel_binding=require cannot log in.",
      .fix =
          "Pass TLS through to the server, or end it in a gateway that offers -PLUS with its own certificate "
          "(trunkline: auth.method: scram); an ECDSA or RSA certificate.",
      .pathologies = {"P40"}};
}

judgement binding_without_tls(std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "channel binding is offered over a plaintext connection",
          .evidence = std::move(evidence),
          .weight = severity::broken,
          .where = middle_of(known),
          .explanation =
              "Somebody between speaks TLS with the server and plaintext with this client. libpq ends "
              "the login: \"server offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection\".",
          .fix = "Let that hop strip -PLUS from the offer, or speak TLS to it.",
          .pathologies = {"P40"}};
}

/// PostgreSQL 11 and later, by a server that was built for it.
runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  auto offered = co_await ask_offer(of);
  if (!offered) co_return judgements{could_not_tell(offered.error().text)};
  std::vector<std::string> evidence{"offered: " + offered->method};
  if (!offered->mechanisms.empty())
    evidence.back() += fmt::format(" ({})", fmt::join(offered->mechanisms, ", "));
  const bool plus = has(*offered, protocol::scram_sha_256_plus);
  const bool tls = offered->tls;
  if (plus && !tls && !of->target.is_unix())
    co_return judgements{binding_without_tls(std::move(evidence), known)};
  if (known.login_failure && known.login_failure->find("channel binding") != std::string::npos)
    co_return judgements{no_binding(std::move(evidence), known)};
  if (tls && has(*offered, protocol::scram_sha_256) && !plus)
    co_return judgements{no_binding(std::move(evidence), known)};
  if (!tls && !of->target.is_unix() && offered->method == "password in clear text")
    co_return judgements{judgement{.is = verdict::finding,
                                   .summary = "the password is asked for in clear text, without TLS",
                                   .evidence = std::move(evidence),
                                   .weight = severity::risk,
                                   .where = "whoever asks at " + known.address,
                                   .explanation = "Everybody on the way can read it.",
                                   .fix = "pg_hba.conf: scram-sha-256 instead of password; sslmode=require.",
                                   .pathologies = {"P40"}}};
  co_return judgements{
      fine(plus ? "SCRAM with channel binding is offered" : "a login is offered: " + offered->method,
           std::move(evidence))};
}

}  // namespace

const check scram_check{
    .id = "scram", .title = "the login's mechanisms and channel binding", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
