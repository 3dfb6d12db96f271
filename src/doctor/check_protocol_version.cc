// Does a client that announces a newer protocol get NegotiateProtocolVersion? libpq 18 speaks 3.2, libpq 19
// announces 3.9999 to keep the path honest.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/session.h"
#include "protocol/session_start.h"

namespace trunkline::doctor {
namespace {

constexpr protocol::protocol_version far_future{3, 9999};
constexpr std::string_view unknown_option = "_pq_.trunkline_doctor";

judgement wrong(std::string summary, std::string evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = std::move(summary),
          .evidence = {std::move(evidence)},
          .weight = severity::risk,
          .where = "whoever reads the login at " + known.address,
          .explanation =
              "PostgreSQL answers a newer minor version, or an option it does not know, with "
              "NegotiateProtocolVersion. libpq 18 asks for 3.2 where it is told to, libpq 19 announces "
              "3.9999 and ends the connection where that is accepted or refused.",
          .fix = "max_protocol_version=3.0 in the DSN (libpq 18), until this hop negotiates.",
          .pathologies = {"P42"}};
}

runtime::task<judgements> run(examination* of) {
  line wire(*of);
  auto opened = co_await line::open(&wire);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  const std::vector<protocol::startup_parameter> parameters{
      {"user", of->dsn->user}, {"database", of->dsn->database}, {unknown_option, "1"}};
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, far_future, parameters);
  wire.write(packet);
  auto came = co_await line::next(&wire);
  if (!came)
    co_return judgements{wrong("a newer protocol version ends the connection",
                               "StartupMessage 3.9999: " + came.error().text, of->known)};
  if (came->type == 'E')
    co_return judgements{wrong("a newer protocol version is refused",
                               "StartupMessage 3.9999: " + read_error(came->body).message, of->known)};
  if (came->type != 'v')
    co_return judgements{wrong("a newer protocol version is accepted blindly",
                               "StartupMessage 3.9999 was answered without NegotiateProtocolVersion",
                               of->known)};
  const auto told = protocol::decode_negotiate_protocol_version(came->body);
  if (!told) co_return judgements{wrong("the negotiation is malformed", told.error().message, of->known)};
  const bool names_option =
      std::ranges::find(told->unknown_options, unknown_option) != told->unknown_options.end();
  if (!names_option)
    co_return judgements{wrong("an unknown option of the protocol is passed over in silence",
                               "NegotiateProtocolVersion does not name it", of->known)};
  co_return judgements{fine(
      fmt::format("protocol {}.{} at most, and it is negotiated", told->newest.major, told->newest.minor))};
}

}  // namespace

const check protocol_version_check{.id = "protocol-version",
                                   .title = "a newer protocol version is negotiated",
                                   .needs = need::address,
                                   .run = run};

}  // namespace trunkline::doctor
