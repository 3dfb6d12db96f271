// Is GSSENCRequest answered? Clients with a Kerberos ticket send it first.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/first_words.h"

namespace trunkline::doctor {
namespace {

judgement mishandled(std::string evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "GSSENCRequest is mishandled",
          .evidence = {std::move(evidence)},
          .weight = severity::risk,
          .where = "whoever listens at " + known.address,
          .explanation =
              "libpq sends it first where the user has a Kerberos ticket; such users cannot connect, "
              "others can: \"received invalid response to GSSAPI negotiation\".",
          .fix = "gssencmode=disable in the DSN, until this hop answers N and reads on.",
          .pathologies = {"P41"}};
}

runtime::task<judgements> run(examination* of) {
  if (of->target.is_unix()) co_return judgements{fine("a unix socket: nothing is encrypted")};
  if (!of->known.negotiation.ssl_answer)
    co_return judgements{could_not_tell("not even SSLRequest is answered")};
  line wire(*of);
  auto connected = co_await line::connect(&wire);
  if (!connected) co_return judgements{could_not_tell(connected.error().text)};
  wire.write(gssenc_request_bytes());
  auto came = co_await line::await_bytes(&wire, 1, "an answer to GSSENCRequest");
  if (!came) co_return judgements{mishandled("GSSENCRequest: " + came.error().text, of->known)};
  const char answer = static_cast<char>(wire.channel().unread().front());
  wire.channel().consume(1);
  of->known.negotiation.gssenc_answer = answer;
  if (answer == 'G') co_return judgements{fine("GSSENCRequest is accepted")};
  if (answer != 'N')
    co_return judgements{
        mishandled(fmt::format("GSSENCRequest: 0x{:02x}", static_cast<unsigned char>(answer)), of->known)};
  auto ssl = co_await line::ask_for_tls(&wire);
  if (!ssl) co_return judgements{mishandled("SSLRequest behind it: " + ssl.error().text, of->known)};
  co_return judgements{fine("GSSENCRequest is declined, and the conversation goes on")};
}

}  // namespace

const check gssenc_check{
    .id = "gssenc", .title = "GSSENCRequest is answered", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
