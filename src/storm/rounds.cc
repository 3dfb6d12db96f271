#include "storm/rounds.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "protocol/query_messages.h"

namespace trunkline::storm {

exchange command(const std::string& sql, std::vector<std::string> tags, char status, stage begins_in) {
  exchange made{.begins_in = begins_in};
  protocol::append_query(made.request, sql);
  for (auto& each : tags)
    made.reply.expect('C', std::move(each));
  made.reply.expect('Z', std::string(1, status));
  return made;
}

exchange rows_query(const row_check& rows, char status) {
  exchange made{.wait = status == 'T' ? pool_wait::none : pool_wait::possible};
  protocol::append_query(made.request, rows.sql());
  made.reply.expect('T')
      .expect_rows('D', rows)
      .expect('C', fmt::format("SELECT {}", rows.count()))
      .expect('Z', std::string(1, status));
  return made;
}

std::string set_local_timeout(const client& who) {
  return fmt::format("SET LOCAL statement_timeout = {}", who.of().statement_timeout().count());
}

/// Every other time inside a transaction.
runtime::task<bool> query_round(client* who) {
  const bool in_transaction = who->rounds() % 2 == 0;
  if (in_transaction) {
    exchange begin = command("BEGIN", {"BEGIN"}, 'T', stage::lease);
    if (!co_await client::ask(who, &who->main(), &begin)) co_return false;
  }
  exchange rows =
      rows_query(row_check(who->next_asker(), who->how().rows, usual_padding), in_transaction ? 'T' : 'I');
  if (!co_await client::ask(who, &who->main(), &rows)) co_return false;
  if (in_transaction) {
    exchange commit = command("COMMIT", {"COMMIT"}, 'I');
    if (!co_await client::ask(who, &who->main(), &commit)) co_return false;
  }
  co_return true;
}

runtime::task<bool> play_round(client* who, workload kind) {
  static constexpr std::array<round_of, workload_count> rounds{
      query_round, query_round,  prepared_round, pipeline_round, copy_round,
      bulk_round,  cancel_round, notify_round,   idle_round,     disconnect_round};
  const round_of chosen = rounds[static_cast<std::size_t>(kind)];
  co_return co_await chosen(who);
}

}  // namespace trunkline::storm
