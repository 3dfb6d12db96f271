// Does somebody wait for bytes to guess the protocol? A client that connects and stays silent for a while, as
// pools that connect ahead do, must be served like any other.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/first_words.h"
#include "doctor/together.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr auto silence = 3s;
constexpr int tries = 10;
/// More than a busy server's fork takes.
constexpr auto slow = 1s;

runtime::task<void> ask(examination* of, runtime::duration wait, first_answer* into) {
  *into = co_await ask_first(of, ssl_request_bytes(), wait);
}

runtime::task<void> ask_often(examination* of, std::vector<first_answer>* into) {
  for (int i = 0; i < tries; ++i)
    into->push_back(co_await ask_first(of, ssl_request_bytes()));
}

judgement sniffed(std::string summary, std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = std::move(summary),
          .evidence = std::move(evidence),
          .weight = severity::slow,
          .sure = confidence::hint,
          .where = "between this host and the server behind " + known.address,
          .explanation =
              "A proxy waits for bytes to guess the protocol: Linkerd up to 10 s, others a few seconds. "
              "Connections made ahead, and health checks, hang or die.",
          .fix =
              "Service: ports[].appProtocol: tcp, name tcp-postgres; config.linkerd.io/opaque-ports: "
              "\"5432,6432\" on the Service and on the pods (it replaces the default list).",
          .pathologies = {"P13"}};
}

runtime::task<judgements> run(examination* of) {
  if (of->target.is_unix()) co_return judgements{fine("a unix socket: nobody stands between")};
  first_answer late;
  std::vector<first_answer> often;
  together both(*of->where);
  both.add(ask(of, silence, &late));
  both.add(ask_often(of, &often));
  co_await together::all(&both);
  std::vector<microseconds> trips;
  for (const auto& each : often)
    if (each.byte) trips.push_back(each.took);
  if (trips.empty()) co_return judgements{could_not_tell("SSLRequest is not answered at all")};
  of->known.ssl_trip = least(trips);
  std::vector<std::string> evidence{
      fmt::format("SSLRequest at once: {} to {}", text_of(least(trips)), text_of(most(trips))),
      fmt::format("after {} s of silence: {} in {}", silence.count(), text_of(late), text_of(late.took))};
  if (median(trips) >= slow)
    co_return judgements{sniffed("the first answer takes long", std::move(evidence), of->known)};
  if (!late.byte || late.took >= slow)
    co_return judgements{
        sniffed("a client that is silent at first is treated differently", std::move(evidence), of->known)};
  co_return judgements{fine("nobody waits to guess the protocol", std::move(evidence))};
}

}  // namespace

const check silence_check{.id = "silence",
                          .title = "a client that is silent at first is served",
                          .needs = need::address,
                          .run = run};

}  // namespace trunkline::doctor
