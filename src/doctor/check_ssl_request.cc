// How is SSLRequest answered? Whoever does not know it breaks every Postgres client that asks for TLS.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/first_words.h"

namespace trunkline::doctor {
namespace {

constexpr char tls_alert = 0x15;

/// A ClientHello as first bytes, as browsers send it.
runtime::task<void> try_direct(examination* of) {
  line wire(*of);
  auto connected = co_await line::connect(&wire);
  if (!connected) co_return;
  // ALPN is offered, and not insisted on.
  auto secured = co_await line::start_tls(&wire, of->any_tls, of->host(), tls::negotiation::ssl_request);
  of->known.negotiation.direct_tls = secured.has_value();
  if (secured) of->known.negotiation.direct_alpn = wire.tls()->session().alpn() == tls::alpn_protocol;
}

/// PROXY protocol, version 1, about this very connection.
runtime::task<bool> wants_proxy_header(examination* of) {
  constexpr std::string_view header = "PROXY TCP4 127.0.0.1 127.0.0.1 40000 5432\r\n";
  std::vector<std::byte> bytes(as_bytes(header).begin(), as_bytes(header).end());
  const auto request = ssl_request_bytes();
  bytes.insert(bytes.end(), request.begin(), request.end());
  const first_answer answer = co_await ask_first(of, std::move(bytes));
  co_return answer.byte == 'S' || answer.byte == 'N';
}

judgement no_answer(const first_answer& what, const facts& known, bool proxy_header) {
  judgement made{.is = verdict::finding,
                 .summary = "SSLRequest is not answered as PostgreSQL does",
                 .evidence = {"SSLRequest: " + text_of(what) + " after " + text_of(what.took)},
                 .weight = severity::broken,
                 .where = "whoever listens at " + known.address};
  if (what.byte == 'H') {
    made.summary = "an HTTP server or filter answers on this port";
    made.explanation =
        "A proxy took the connection for HTTP. Clients see \"received invalid response to SSL "
        "negotiation: H\".";
    made.fix =
        "Service: ports[].name: tcp-postgres and appProtocol: tcp; Linkerd: config.linkerd.io/opaque-ports "
        "with this port, on the Service and on the pods.";
    made.pathologies = {"P13"};
  } else if (known.negotiation.direct_tls) {
    made.summary = "a TLS listener that does not know SSLRequest";
    made.evidence.emplace_back("a ClientHello as first bytes: the handshake is complete");
    made.explanation =
        "This hop expects TLS from the first byte. PostgreSQL's clients send SSLRequest first and see "
        "\"server closed the connection unexpectedly\", or hang.";
    made.fix =
        "sslnegotiation=direct in the DSN (libpq 17); an Envoy Gateway listener of protocol TCP instead of "
        "TLS, or its postgres_proxy filter; or a gateway that speaks the protocol.";
    made.pathologies = {"P38"};
  } else if (proxy_header) {
    made.summary = "the listener expects the PROXY protocol";
    made.evidence.emplace_back("behind a PROXY header, SSLRequest is answered");
    made.explanation =
        "It closes every connection that does not begin with a PROXY header; only a load balancer "
        "that writes one can be its client.";
    made.fix = "Connect through that load balancer, or switch the PROXY protocol off on both of them.";
    made.pathologies = {"P37"};
  } else if (what.byte == tls_alert) {
    made.explanation = "A TLS alert came: this hop expects a ClientHello first.";
    made.fix = "sslnegotiation=direct in the DSN (libpq 17), or a listener that passes TCP through.";
    made.pathologies = {"P38"};
  } else if (what.byte == 'E') {
    made.explanation =
        "An error of PostgreSQL's protocol came. A hop that speaks TLS with the server by itself passes "
        "SSLRequest on inside of it, where it is refused; so does a server older than TLS in its protocol.";
    made.fix =
        "sslmode=disable in the DSN, as far as this hop is this host's own; or a DSN that leads past it.";
    made.pathologies = {"P40"};
  } else if (what.byte) {
    made.explanation = "What answers is not PostgreSQL, or a server older than TLS in its protocol.";
    made.pathologies = {"P13"};
  } else {
    made.sure = confidence::hint;
    made.explanation =
        "The connection ends, or stays silent, behind the first packet. A load balancer that writes a "
        "PROXY header before it has this effect on a server that does not know the header; so has a "
        "server that is no PostgreSQL.";
    made.fix =
        "Switch the PROXY protocol off at the load balancer (target group attribute "
        "proxy_protocol_v2.enabled=false, HAProxy: no send-proxy), or accept it in the listener behind.";
    made.pathologies = {"P37"};
    made.where = "between this host and the server behind " + known.address;
  }
  return made;
}

judgement stuffed(const first_answer& what, const facts& known) {
  return {.is = verdict::finding,
          .summary = "plaintext comes behind the answer to SSLRequest",
          .evidence = {fmt::format("{} bytes behind {}", what.behind, text_of(what))},
          .weight = severity::broken,
          .where = "whoever listens at " + known.address,
          .explanation = "Clients take that for an attack and end the connection.",
          .pathologies = {"P38"}};
}

runtime::task<judgements> run(examination* of) {
  if (of->target.is_unix()) co_return judgements{fine("a unix socket: no TLS is negotiated")};
  const first_answer answer = co_await ask_first(of, ssl_request_bytes());
  of->known.negotiation.ssl_answer = answer.byte;
  co_await try_direct(of);
  const bool is_known = answer.byte == 'S' || answer.byte == 'N';
  if (is_known && answer.behind > 0) co_return judgements{stuffed(answer, of->known)};
  if (is_known)
    co_return judgements{
        fine(answer.byte == 'S' ? "SSLRequest is answered: TLS is there" : "SSLRequest is answered: no TLS",
             {"SSLRequest: " + text_of(answer) + " after " + text_of(answer.took)})};
  const bool proxy_header = !of->known.negotiation.direct_tls && co_await wants_proxy_header(of);
  co_return judgements{no_answer(answer, of->known, proxy_header)};
}

}  // namespace

const check ssl_request_check{.id = "ssl-request",
                              .title = "SSLRequest is answered as PostgreSQL does",
                              .needs = need::address,
                              .run = run};

}  // namespace trunkline::doctor
