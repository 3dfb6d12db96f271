// Rounds over the extended query protocol: prepared statements and pipelines.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string_view>

#include "protocol/query_messages.h"
#include "storm/rounds.h"

namespace trunkline::storm {
namespace {

/// The same for all clients, as with drivers that count their statements: a pooler has to tell them apart.
constexpr std::string_view statement_name = "storm_1";

/// Differs between clients, so that another one's statement of the same name gives other rows.
std::uint32_t padding_of(const client& who) {
  return usual_padding + who.number() % 7;
}

void append_execution(exchange& to, std::string_view statement, const row_check& rows) {
  const std::string token = rows.token();
  const std::string count = std::to_string(rows.count());
  const std::array<std::optional<std::string_view>, 2> values{token, count};
  protocol::append_bind(to.request, "", statement, values);
  protocol::append_execute(to.request, "");
  to.reply.expect('2').expect_rows('D', rows).expect('C', fmt::format("SELECT {}", rows.count()));
}

void append_sync(exchange& to, char status) {
  protocol::append_sync(to.request);
  to.reply.expect('Z', std::string(1, status));
}

runtime::task<bool> prepare(client* who) {
  exchange parse;
  protocol::append_parse(parse.request, statement_name, row_check::prepared_sql(padding_of(*who)));
  parse.reply.expect('1');
  append_sync(parse, 'I');
  who->prepared() = co_await client::ask(who, &who->main(), &parse);
  co_return who->prepared();
}

runtime::task<bool> execute(client* who, char status) {
  exchange run{.wait = status == 'T' ? pool_wait::none : pool_wait::possible,
               .kind = protocol_kind::extended};
  append_execution(run, statement_name, row_check(who->next_asker(), who->how().rows, padding_of(*who)));
  append_sync(run, status);
  co_return co_await client::ask(who, &who->main(), &run);
}

runtime::task<bool> forget(client* who) {
  exchange close;
  protocol::append_close(close.request, protocol::describe_target::statement, statement_name);
  close.reply.expect('3');
  append_sync(close, 'I');
  who->prepared() = false;
  co_return co_await client::ask(who, &who->main(), &close);
}

/// Parse, Bind, Execute of an unnamed statement, and Sync.
void append_batch(exchange& to, client& who) {
  protocol::append_parse(to.request, "", row_check::prepared_sql(usual_padding));
  to.reply.expect('1');
  append_execution(to, "", row_check(who.next_asker(), who.how().rows, usual_padding));
  append_sync(to, 'I');
}

/// Fails where its plan is made; what stands behind it is skipped up to Sync.
void append_failing_batch(exchange& to) {
  protocol::append_parse(to.request, "", "SELECT 1/0");
  protocol::append_bind(to.request, "", "", {});
  protocol::append_execute(to.request, "");
  to.reply.expect('1').expect('E', "22012");
  append_sync(to, 'I');
}

}  // namespace

/// Prepared once for each session, and run over and inside transactions; now and then it is prepared anew.
runtime::task<bool> prepared_round(client* who) {
  if (!who->prepared() && !co_await prepare(who)) co_return false;
  if (!co_await execute(who, 'I')) co_return false;
  exchange begin = command("BEGIN", {"BEGIN"}, 'T', stage::lease);
  if (!co_await client::ask(who, &who->main(), &begin)) co_return false;
  if (!co_await execute(who, 'T')) co_return false;
  exchange commit = command("COMMIT", {"COMMIT"}, 'I');
  if (!co_await client::ask(who, &who->main(), &commit)) co_return false;
  if (who->draw(1, 10) > 1) co_return true;
  co_return co_await forget(who);
}

/// Errors are rare among them: each is a line in the server's log.
runtime::task<bool> pipeline_round(client* who) {
  exchange all{.wait = pool_wait::possible, .kind = protocol_kind::extended};
  append_batch(all, *who);
  append_batch(all, *who);
  if (who->rounds() % 10 == 1) append_failing_batch(all);
  append_batch(all, *who);
  co_return co_await client::ask(who, &who->main(), &all);
}

}  // namespace trunkline::storm
