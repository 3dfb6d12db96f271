// Do the two clocks agree? Certificates, tokens and the times in both logs depend on it.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

constexpr int tries = 8;
/// Logs cannot be laid beside each other beyond it.
constexpr double apart = 2.0;

struct reading {
  double offset = 0;  ///< seconds that the server's clock is ahead
  double trip = 0;    ///< seconds; the reading is as wrong as half of it
};

double wall_clock() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// The one with the shortest trip is the best.
runtime::task<outcome<reading>> read_clock(session* one) {
  reading best{.offset = 0, .trip = 1e9};
  for (int i = 0; i < tries; ++i) {
    const double before = wall_clock();
    const auto began = std::chrono::steady_clock::now();
    auto seen = co_await session::query(one, "select extract(epoch from clock_timestamp())::text");
    if (!seen) co_return std::unexpected(std::move(seen.error()));
    if (seen->error)
      co_return std::unexpected(failure{failure::kind::error, seen->error->message, seen->error});
    const double trip = std::chrono::duration<double>(since(began)).count();
    double theirs = 0;
    const auto text = seen->at(0, 0);
    if (std::from_chars(text.data(), text.data() + text.size(), theirs).ec != std::errc())
      co_return std::unexpected(failure{failure::kind::protocol, "the server's time cannot be read"});
    if (trip < best.trip) best = {theirs - (before + trip / 2), trip};
  }
  co_return best;
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  auto read = co_await read_clock(&one);
  if (!read) co_return judgements{could_not_tell(read.error().text)};
  std::vector<std::string> evidence{
      fmt::format("the server's clock is {:+.3f} s from this host's (give or take {:.3f} s)", read->offset,
                  read->trip / 2)};
  if (std::abs(read->offset) < apart + read->trip / 2)
    co_return judgements{fine("the clocks agree", std::move(evidence))};
  co_return judgements{judgement{.is = verdict::finding,
                                 .summary = "the clocks of this host and of the server differ",
                                 .evidence = std::move(evidence),
                                 .weight = severity::risk,
                                 .where = "this host or the server",
                                 .explanation =
                                     "Tokens and certificates look expired, or not valid yet; the times in "
                                     "the two logs do not fit together.",
                                 .fix = "NTP (chrony) on both nodes."}};
}

}  // namespace

const check clock_check{.id = "clock", .title = "the clocks agree", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
