// Rounds with something beside the session's own conversation: CancelRequest, notifications, long silence,
// and clients that leave without a word.
#include <fmt/format.h>

#include <utility>

#include "base/seconds.h"
#include "protocol/query_messages.h"
#include "protocol/startup_message.h"
#include "storm/rounds.h"

namespace trunkline::storm {
namespace {

using namespace std::chrono_literals;

bool is_lost(const problem& what) {
  return what.what == fault::wrong_answer || what.what == fault::timed_out;
}

/// A connection of its own, to where the session went; libpq waits for its end as well.
runtime::task<bool> send_cancel(client* who, connection* over) {
  std::optional<reached_place> same(who->main().line().place());
  auto reached = co_await connection::reach(over, std::move(same));
  if (!reached) {
    who->found(std::move(reached.error()), *over);
    co_return false;
  }
  std::vector<std::byte> request;
  protocol::append_cancel_request(request, who->main().pid(), who->main().cancel_key());
  over->channel().write(request);
  ++who->of().said->cancels;
  co_return true;
}

/// A CancelRequest that comes before its statement has begun is lost by PostgreSQL's own rules: some rows
/// before the sleep, more than a server keeps back, tell that it runs.
constexpr std::uint32_t early_rows = 4;
constexpr std::uint32_t early_padding = 4'000;

exchange begin_to_sleep(const client& who, const row_check& early) {
  exchange made;
  protocol::append_query(made.request, fmt::format("{}; SELECT pg_catalog.pg_sleep({})", early.sql(),
                                                   seconds_of(who.of().nap())));
  made.reply.expect('T');
  return made;
}

/// The time in which the CancelRequest takes effect is what counts; the statement itself only sleeps.
runtime::task<bool> await_cancel(client* who, row_check early) {
  const auto began = std::chrono::steady_clock::now();
  exchange cancelled{.own_pace = true};
  const std::string tag = fmt::format("SELECT {}", early.count());
  cancelled.reply.expect_rows('D', std::move(early))
      .expect('C', tag)
      .expect('T')
      .expect('E', "57014")
      .expect('Z', "I");
  auto answered = co_await session::ask(&who->main(), &cancelled);
  if (!answered && answered.error().code == sqlstates::query_canceled) {
    // On a busy server it may be hit behind the rows and before the sleep: that was asked for too.
    exchange rest{.own_pace = true};
    rest.reply.expect('Z', "I");
    answered = co_await session::ask(&who->main(), &rest);
  }
  const auto took = std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - began);
  if (answered) {
    who->answered(stage::query, took);
    co_return true;
  }
  problem wrong = std::move(answered.error());
  if (is_lost(wrong)) {
    wrong.what = fault::lost_cancel;
    wrong.where = stage::query;
    wrong.message = "the statement went on: " + wrong.message;
  }
  who->found(std::move(wrong), who->main().line());
  co_return false;
}

std::string channel_of(const client& who) {
  return fmt::format("storm_{:x}_{}", who.of().run, who.number());
}

runtime::task<bool> await_payload(client* who, std::string wanted) {
  connection& line = who->main().line();
  line.enter(stage::transfer, who->how().timeout);
  auto came = co_await session::await_notification(&who->main());
  if (!came) {
    problem wrong = std::move(came.error());
    if (wrong.what == fault::timed_out) wrong.what = fault::lost_notification;
    who->found(std::move(wrong), line);
    co_return false;
  }
  for (const std::string& payload : who->main().take_notifications()) {
    if (payload == wanted) continue;
    who->found(line.failed(fault::stale_answer, "another notification came: " + one_line(payload)), line);
    co_return false;
  }
  line.leave_stage();
  ++who->of().said->notifications;
  co_return true;
}

exchange notification(client& who, std::string& payload) {
  payload = who.next_asker().token();
  exchange made;
  protocol::append_query(made.request,
                         fmt::format("SELECT pg_catalog.pg_notify('{}', '{}')", channel_of(who), payload));
  made.reply.expect('T').expect_value("").expect('C', "SELECT 1").expect('Z', "I");
  return made;
}

}  // namespace

/// The query behind it shows whether the CancelRequest hits a statement that it was not for.
runtime::task<bool> cancel_round(client* who) {
  row_check early(who->next_asker(), early_rows, early_padding);
  exchange sleep = begin_to_sleep(*who, early);
  if (!co_await client::ask(who, &who->main(), &sleep)) co_return false;
  if (!co_await client::rest(who, std::chrono::milliseconds(who->draw(0, 20)))) co_return false;
  connection over(who->of(), who->changed(), *who);
  if (!co_await send_cancel(who, &over)) co_return false;
  if (!co_await await_cancel(who, std::move(early))) co_return false;
  over.enter(stage::close, who->how().timeout);
  if (auto ended = co_await connection::await_end(&over); !ended) {
    who->found(std::move(ended.error()), over);
    co_return false;
  }
  over.leave_stage();
  exchange rows = rows_query(row_check(who->next_asker(), who->how().rows, usual_padding), 'I');
  co_return co_await client::ask(who, &who->main(), &rows);
}

runtime::task<bool> notify_round(client* who) {
  if (!who->helper().exists()) {
    if (!co_await client::open(who, &who->helper())) co_return false;
    exchange listen = command("LISTEN " + channel_of(*who), {"LISTEN"}, 'I');
    if (!co_await client::ask(who, &who->main(), &listen)) co_return false;
  }
  std::string payload;
  exchange notify = notification(*who, payload);
  if (!co_await client::ask(who, &who->helper(), &notify)) co_return false;
  co_return co_await await_payload(who, std::move(payload));
}

/// A connection that ends meanwhile is found by the statement behind the silence, as an application would.
runtime::task<bool> idle_round(client* who) {
  exchange before = rows_query(row_check(who->next_asker(), who->how().rows, usual_padding), 'I');
  if (!co_await client::ask(who, &who->main(), &before)) co_return false;
  const auto most = static_cast<std::uint64_t>(who->how().idle.count());
  (void)co_await client::doze(who, std::chrono::milliseconds(who->draw(most / 2, most)));
  exchange after = rows_query(row_check(who->next_asker(), who->how().rows, usual_padding), 'I');
  co_return co_await client::ask(who, &who->main(), &after);
}

/// One of four ways to leave others with a mess; the next round comes back and must not see anything of it.
runtime::task<bool> disconnect_round(client* who) {
  session& over = who->main();
  exchange hello = rows_query(row_check(who->next_asker(), who->how().rows, usual_padding), 'I');
  if (!co_await client::ask(who, &over, &hello)) co_return false;
  const auto way = who->draw(0, 3);
  if (way == 0) {
    exchange begin = command("BEGIN", {"BEGIN"}, 'T', stage::lease);
    if (!co_await client::ask(who, &over, &begin)) co_return false;
  }
  exchange unread = rows_query(row_check(who->next_asker(), 200, 1'000), 'I');
  if (way == 1) unread.request.resize(unread.request.size() / 2);
  over.line().channel().write(unread.request);
  (void)co_await client::rest(who, std::chrono::milliseconds(who->draw(0, 5)));
  ++who->of().said->disconnects;
  if (way == 2) {
    over.part();
  } else if (way == 3) {
    over.reset();
  } else {
    over.drop();
  }
  co_return true;
}

}  // namespace trunkline::storm
