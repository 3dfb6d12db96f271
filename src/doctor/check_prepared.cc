// Does a prepared statement live as long as its session? It is prepared in one transaction and executed in
// later ones, while a second session takes its server connection where there is a pooler.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/session.h"
#include "protocol/query_messages.h"

namespace trunkline::doctor {
namespace {

constexpr int rounds = 20;
/// Left behind on a server connection, it meets no later run.
std::string name_for(const examination& of) {
  std::string made = "trunkline_doctor_" + of.run.substr(of.run.rfind(' ') + 1);
  return made;
}

std::vector<std::byte> prepare(std::string_view name) {
  std::vector<std::byte> made;
  protocol::append_parse(made, name, "select 4711");
  protocol::append_sync(made);
  return made;
}

std::vector<std::byte> execute(std::string_view name) {
  std::vector<std::byte> made;
  protocol::append_bind(made, "", name, {});
  protocol::append_execute(made, "");
  protocol::append_sync(made);
  return made;
}

std::vector<std::byte> forget(std::string_view name) {
  std::vector<std::byte> made;
  protocol::append_close(made, protocol::describe_target::statement, name);
  protocol::append_sync(made);
  return made;
}

judgement lost(std::vector<std::string> evidence, const facts& known, std::string how) {
  return {
      .is = verdict::finding,
      .summary = "prepared statements get lost between transactions",
      .evidence = std::move(evidence),
      .weight = severity::broken,
      .sure = is_proxied(known) ? confidence::certain : confidence::likely,
      .where = middle_of(known),
      .explanation =
          "They live on one server connection, and the next transaction runs on another one. "
          "Drivers that prepare see " +
          how + ", now and then and under load only.",
      .fix =
          "PgBouncer 1.21: max_prepared_statements = 200; or, in the driver: pgjdbc prepareThreshold=0, pgx "
          "default_query_exec_mode=exec, asyncpg statement_cache_size=0, psycopg prepare_threshold=None; or "
          "trunkline with pooling: transaction, which carries them.",
      .pathologies = {"P44"}};
}

/// The other session takes what is free, so that this one gets something else.
runtime::task<outcome<int>> try_rounds(session* one, session* other, std::string* first_error) {
  int good = 0;
  for (int i = 0; i < rounds; ++i) {
    const bool holds = i % 2 == 0;
    if (holds) {
      auto begun = co_await session::query(other, "begin read only");
      if (begun && !begun->error) (void)co_await session::query(other, "select 1");
    }
    auto ran = co_await session::ask(one, execute(name_for(one->wire().of())));
    if (!ran) co_return std::unexpected(std::move(ran.error()));
    if (!ran->error && ran->at(0, 0) == "4711") ++good;
    if (ran->error && first_error->empty())
      *first_error = fmt::format("{} ({})", ran->error->message, ran->error->code.view());
    if (holds && other->is_open()) (void)co_await session::query(other, "commit");
  }
  co_return good;
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  session other(*of);
  for (session* each : {&one, &other}) {
    auto opened = co_await session::open(each);
    if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  }
  auto made = co_await session::ask(&one, prepare(name_for(*of)));
  if (!made) co_return judgements{could_not_tell(made.error().text)};
  if (made->error)
    co_return judgements{lost({"Parse: " + made->error->message}, of->known, "\"already exists\" (42P05)")};
  std::string first_error;
  auto good = co_await try_rounds(&one, &other, &first_error);
  if (!good)
    co_return judgements{lost({fmt::format("the session ended: {}", good.error().text)}, of->known,
                              "the end of their connection")};
  // Where it was prepared on a server connection that others use too, it is looked for there.
  for (session* each : {&one, &other})
    (void)co_await session::ask(each, forget(name_for(*of)));
  std::vector<std::string> evidence{
      fmt::format("{} of {} executions in later transactions went well", *good, rounds)};
  if (*good == rounds)
    co_return judgements{fine("prepared statements live as long as their session", std::move(evidence))};
  if (!first_error.empty()) evidence.push_back("first error: " + first_error);
  co_return judgements{
      lost(std::move(evidence), of->known, "\"does not exist\" (26000) or \"already exists\" (42P05)")};
}

}  // namespace

const check prepared_check{.id = "prepared",
                           .title = "prepared statements live over transactions",
                           .needs = need::login,
                           .run = run};

}  // namespace trunkline::doctor
