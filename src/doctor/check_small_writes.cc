// Do small messages wait for one another? A hop with Nagle's algorithm holds the second of two small writes
// until the first is acknowledged, which its peer puts off for about 40 ms.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "protocol/query_messages.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr int rounds = 12;
/// Between the two writes: so short that the first one's answer cannot matter, long enough for two segments.
constexpr auto gap = 2ms;
/// What delayed acknowledgement adds (Linux: 40 ms at least), without the noise below it.
constexpr auto suspicious = 25ms;

struct two_parts {
  std::vector<std::byte> first;
  std::vector<std::byte> second;
};

/// Parse and Bind go out first, what makes the server answer follows.
two_parts extended_query() {
  two_parts made;
  protocol::append_parse(made.first, "", "select 1");
  protocol::append_bind(made.first, "", "", {});
  protocol::append_execute(made.second, "");
  protocol::append_sync(made.second);
  return made;
}

runtime::task<outcome<microseconds>> ask_in_one(session* one) {
  two_parts parts = extended_query();
  parts.first.insert(parts.first.end(), parts.second.begin(), parts.second.end());
  const auto began = std::chrono::steady_clock::now();
  auto seen = co_await session::ask(one, std::move(parts.first));
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  co_return since(began);
}

/// From the second write to the whole answer.
runtime::task<outcome<microseconds>> ask_in_two(examination* of, session* one) {
  const two_parts parts = extended_query();
  one->wire().write(parts.first);
  co_await pause(of, gap);
  const auto began = std::chrono::steady_clock::now();
  auto seen = co_await session::ask(one, parts.second);
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  co_return since(began);
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  std::vector<microseconds> whole;
  std::vector<microseconds> parted;
  for (int i = 0; i < rounds; ++i) {
    auto in_one = co_await ask_in_one(&one);
    if (!in_one) co_return judgements{could_not_tell(in_one.error().text)};
    whole.push_back(*in_one);
    auto in_two = co_await ask_in_two(of, &one);
    if (!in_two) co_return judgements{could_not_tell(in_two.error().text)};
    parted.push_back(*in_two);
  }
  std::vector<std::string> evidence{
      fmt::format("an extended query in one write: median {}; in two writes: median {}",
                  text_of(median(whole)), text_of(median(parted)))};
  if (median(parted) < median(whole) + suspicious)
    co_return judgements{fine("small writes do not wait for one another", std::move(evidence))};
  co_return judgements{judgement{
      .is = verdict::finding,
      .summary = "small writes wait for one another: about 40 ms for each exchange",
      .evidence = std::move(evidence),
      .weight = severity::slow,
      .sure = confidence::likely,
      .where = middle_of(of->known),
      .explanation =
          "A hop forwards with Nagle's algorithm: the second of two small writes waits for the first one's "
          "acknowledgement, which the kernel behind it delays. Drivers that write a query in several pieces "
          "lose that time in every exchange.",
      .fix = "TCP_NODELAY on both sides of that hop (nginx: tcp_nodelay on; own relays: set_nodelay(true)).",
      .pathologies = {"P50"}}};
}

}  // namespace

const check small_writes_check{
    .id = "small-writes", .title = "small writes do not wait", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
