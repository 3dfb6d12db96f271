// Rounds that move data: COPY both ways, and large results that are read slowly.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "protocol/message_writer.h"
#include "protocol/query_messages.h"
#include "storm/rounds.h"

namespace trunkline::storm {
namespace {

exchange copy_in_data(const row_check& rows) {
  exchange made;
  for (std::uint32_t number = 1; number <= rows.count(); ++number)
    protocol::message_writer(made.request, 'd').bytes(as_bytes(rows.row(number) + "\n"));
  protocol::message_writer(made.request, 'c');
  made.reply.expect('C', fmt::format("COPY {}", rows.count())).expect('Z', "T");
  return made;
}

exchange copy_out(const row_check& rows) {
  exchange made;
  protocol::append_query(made.request, "COPY pg_temp.trunkline_storm TO STDOUT");
  made.reply.expect('H')
      .expect_rows('d', rows)
      .expect('c')
      .expect('C', fmt::format("COPY {}", rows.count()))
      .expect('Z', "T");
  return made;
}

}  // namespace

/// The table goes with its transaction, so that nothing is left on a connection that others use.
runtime::task<bool> copy_round(client* who) {
  session* over = &who->main();
  exchange begin = command("BEGIN", {"BEGIN"}, 'T', stage::lease);
  if (!co_await client::ask(who, over, &begin)) co_return false;
  exchange table =
      command(set_local_timeout(*who) + "; CREATE TEMPORARY TABLE trunkline_storm (line text) ON COMMIT DROP",
              {"SET", "CREATE TABLE"}, 'T');
  if (!co_await client::ask(who, over, &table)) co_return false;
  const row_check rows(who->next_asker(), who->how().rows, usual_padding);
  exchange start;
  protocol::append_query(start.request, "COPY pg_temp.trunkline_storm FROM STDIN");
  start.reply.expect('G');
  if (!co_await client::ask(who, over, &start)) co_return false;
  exchange data = copy_in_data(rows);
  if (!co_await client::ask(who, over, &data)) co_return false;
  exchange back = copy_out(rows);
  if (!co_await client::ask(who, over, &back)) co_return false;
  exchange commit = command("COMMIT", {"COMMIT"}, 'I');
  co_return co_await client::ask(who, over, &commit);
}

runtime::task<bool> bulk_round(client* who) {
  session* over = &who->main();
  exchange begin = command("BEGIN", {"BEGIN"}, 'T', stage::lease);
  if (!co_await client::ask(who, over, &begin)) co_return false;
  exchange bound = command(set_local_timeout(*who), {"SET"}, 'T');
  if (!co_await client::ask(who, over, &bound)) co_return false;
  constexpr std::uint64_t padding = limits::storm_row_padding;
  const auto count = static_cast<std::uint32_t>(std::max<std::uint64_t>(who->how().bulk_bytes / padding, 1));
  exchange rows = rows_query(row_check(who->next_asker(), count, padding), 'T');
  rows.wait = pool_wait::unknown;
  rows.read_bytes_per_second = who->how().read_bytes_per_second;
  if (!co_await client::ask(who, over, &rows)) co_return false;
  exchange commit = command("COMMIT", {"COMMIT"}, 'I');
  co_return co_await client::ask(who, over, &commit);
}

}  // namespace trunkline::storm
