// Does a client that announces a newer protocol get NegotiateProtocolVersion? libpq 18 speaks 3.2, libpq 19
// announces 3.9999 to keep the path honest.
#include <fmt/format.h>

#include <algorithm>

#include "doctor/checks.h"
#include "doctor/session.h"

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

/// The whole login: the negotiation may come anywhere before its end.
runtime::task<judgements> run(examination* of) {
  session one(*of);
  login_wishes wishes;
  wishes.version = far_future;
  wishes.parameters.emplace_back(unknown_option, "1");
  auto opened = co_await session::open(&one, std::move(wishes));
  const auto told = one.negotiated();
  if (!told && !opened && opened.error().what == failure::kind::tls)
    co_return judgements{could_not_tell(opened.error().text)};
  // Who negotiates late has not come to it where no login comes to its end.
  if (!told && !opened && of->known.login_failure)
    co_return judgements{could_not_tell("no login: " + *of->known.login_failure)};
  if (!told && !opened)
    co_return judgements{wrong("a newer protocol version ends the login",
                               "StartupMessage 3.9999: " + opened.error().text, of->known)};
  if (!told)
    co_return judgements{wrong("a newer protocol version is accepted blindly",
                               "StartupMessage 3.9999 was answered without NegotiateProtocolVersion",
                               of->known)};
  if (std::ranges::find(one.unknown_options(), unknown_option) == one.unknown_options().end())
    co_return judgements{wrong("an unknown option of the protocol is passed over in silence",
                               "NegotiateProtocolVersion does not name it", of->known)};
  co_return judgements{
      fine(fmt::format("protocol {}.{} at most, and it is negotiated", told->major, told->minor))};
}

}  // namespace

const check protocol_version_check{.id = "protocol-version",
                                   .title = "a newer protocol version is negotiated",
                                   .needs = need::address,
                                   .run = run};

}  // namespace trunkline::doctor
