// Is there a pooler, and when does a session lose its server connection? Two sessions take turns: what one
// leaves at the end of a transaction, a pooler gives to the other.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

struct observation {
  std::vector<std::string> first;   ///< process ids that the first session ran in, in order
  std::vector<std::string> second;  ///< while the other one held a transaction
  bool refuses_blocks = false;      ///< no transaction blocks: statement pooling
};

runtime::task<outcome<std::string>> pid_of(session* one) {
  auto seen = co_await session::query(one, "select pg_backend_pid()");
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  if (seen->error)
    co_return std::unexpected(failure{failure::kind::error, seen->error->message, seen->error});
  std::string pid(seen->at(0, 0));
  if (pid.empty())
    co_return std::unexpected(failure{failure::kind::protocol, "the server does not tell its process"});
  co_return pid;
}

/// One after the other: the first session's process, then a transaction of the second, meanwhile the first
/// again.
runtime::task<outcome<>> take_turns(session* first, session* second, observation* into) {
  for (int turn = 0; turn < 3; ++turn) {
    auto mine = co_await pid_of(first);
    if (!mine) co_return std::unexpected(std::move(mine.error()));
    into->first.push_back(*mine);
    auto begun = co_await session::query(second, "begin read only");
    if (!begun) {
      into->refuses_blocks = begun.error().said.has_value();
      if (into->refuses_blocks) co_return outcome<>();
      co_return std::unexpected(std::move(begun.error()));
    }
    if (begun->error) {
      into->refuses_blocks = true;
      co_return outcome<>();
    }
    auto theirs = co_await pid_of(second);
    if (!theirs) {
      into->refuses_blocks = theirs.error().said.has_value();
      if (into->refuses_blocks) co_return outcome<>();
      co_return std::unexpected(std::move(theirs.error()));
    }
    into->second.push_back(*theirs);
    mine = co_await pid_of(first);
    if (!mine) co_return std::unexpected(std::move(mine.error()));
    into->first.push_back(*mine);
    auto over = co_await session::query(second, "commit");
    if (!over) co_return std::unexpected(std::move(over.error()));
  }
  co_return outcome<>();
}

/// StartupMessage without a user: PostgreSQL's own refusal names a file, a line and a routine.
runtime::task<std::optional<said_error>> provoke(examination* of) {
  line wire(*of);
  auto opened = co_await line::open(&wire);
  if (!opened) co_return std::nullopt;
  const std::vector<protocol::startup_parameter> none{{"database", of->dsn->database}};
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {}, none);
  wire.write(packet);
  auto came = co_await line::next(&wire);
  if (!came || came->type != 'E') co_return std::nullopt;
  co_return read_error(came->body);
}

pooling mode_of(const observation& seen, const facts& known) {
  if (seen.refuses_blocks) return pooling::statement;
  const std::set<std::string> mine(seen.first.begin(), seen.first.end());
  const bool shared = std::ranges::any_of(seen.second, [&](const auto& each) { return mine.contains(each); });
  if (mine.size() > 1 || shared) return pooling::transaction;
  const bool rewrites_key = std::ranges::find(known.between, "key") != known.between.end();
  return rewrites_key ? pooling::session : pooling::none;
}

std::string summary_of(const facts& known) {
  if (known.mode == pooling::none) return "no pooler: a session keeps its server process";
  if (known.mode == pooling::session)
    return "a pooler in session mode, or a proxy that knows the protocol: a session keeps its server process";
  return fmt::format("a pooler in {} mode", name_of(known.mode));
}

runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  session first(*of);
  session second(*of);
  for (session* each : {&first, &second}) {
    auto opened = co_await session::open(each);
    if (!opened) co_return judgements{could_not_tell("a second session: " + opened.error().text)};
  }
  observation seen;
  auto turns = co_await take_turns(&first, &second, &seen);
  if (!turns) co_return judgements{could_not_tell(turns.error().text)};
  const auto refusal = co_await provoke(of);
  if (refusal && refusal->by_trunkline) known.trunkline = true;
  if (known.trunkline && of->how->gateway_url.empty())
    known.hints.emplace_back(
        "a trunkline is on this path; --gateway http://HOST:9630 (its admin address) adds what it has seen");
  if (refusal && !refusal->has_place) known.between.emplace_back("errors");
  known.mode = mode_of(seen, known);
  if (known.mode == pooling::transaction || known.mode == pooling::statement)
    known.between.emplace_back("backends");
  std::vector<std::string> evidence{
      fmt::format("one session's processes: {}", fmt::join(seen.first, " ")),
      fmt::format("another one's, within transactions: {}", fmt::join(seen.second, " "))};
  if (refusal)
    evidence.push_back(fmt::format("a login without a user is refused by {}: {}",
                                   refusal->has_place ? "PostgreSQL itself" : "something else",
                                   refusal->message));
  co_return judgements{fine(summary_of(known), std::move(evidence))};
}

}  // namespace

const check pooler_check{
    .id = "pooler", .title = "is there a pooler, and in which mode", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
