#include "pool/link_pool.h"

#include <gmock/gmock.h>

#include "base/limits.h"
#include "pool/test_support.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class LinkPool : public pool_test {};

TEST_F(LinkPool, OpensAsManyAsAreNeededUpToItsSize) {
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 1), three(*pool, 0);
  EXPECT_FALSE(one.ask());
  EXPECT_FALSE(two.ask());
  EXPECT_FALSE(three.ask());
  loop.settle();
  EXPECT_EQ(one.pid(), 1U);
  EXPECT_EQ(two.pid(), 2U);
  EXPECT_TRUE(three.waits());
  EXPECT_EQ(backends.size(), 2U);
  EXPECT_EQ(pool->open(), 2U);
  EXPECT_EQ(pool->figures().waiting, 1U);
}

TEST_F(LinkPool, WhatRestsAtTheOwnWorkerIsThereAtOnceTheNewestFirst) {
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0);
  one.ask();
  two.ask();
  loop.settle();
  const auto first = one.pid(), last = two.pid();
  one.give_back();
  two.give_back();
  loop.settle();
  EXPECT_EQ(pool->figures().idle, 2U);
  ASSERT_TRUE(one.ask());
  ASSERT_TRUE(two.ask());
  EXPECT_EQ(one.pid(), last);
  EXPECT_EQ(two.pid(), first);
  EXPECT_EQ(one.has->sessions, 2U);
}

TEST_F(LinkPool, AConnectionThatRestsElsewhereIsMoved) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  warm(*pool, 0, 1);
  waiting_client other(*pool, 1);
  EXPECT_FALSE(other.ask());
  loop.settle();
  EXPECT_EQ(other.pid(), 1U);
  EXPECT_EQ(pool->open(), 1U);
  EXPECT_EQ(pool->shelf(0).idle(), 0U);
  // It works there, and is at home there now.
  other.give_back();
  loop.settle();
  EXPECT_EQ(pool->shelf(1).idle(), 1U);
  ASSERT_TRUE(other.ask());
  EXPECT_EQ(open_backends(), 1U);
}

TEST_F(LinkPool, OneGivenBackGoesToWhoeverWaitsElsewhere) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  waiting_client here(*pool, 0), there(*pool, 1);
  here.ask();
  loop.settle();
  there.ask();
  loop.settle();
  EXPECT_TRUE(there.waits());
  here.give_back();
  loop.settle();
  EXPECT_EQ(there.pid(), 1U);
  EXPECT_EQ(backends.size(), 1U);
}

TEST_F(LinkPool, OnesOwnClientsComeFirstUnlessAnotherHasWaitedNoticeablyLonger) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  waiting_client busy(*pool, 0), here(*pool, 0), there(*pool, 1);
  busy.ask();
  loop.settle();
  there.ask();
  loop.advance(500us);
  here.ask();
  loop.advance(10ms);
  busy.give_back();  // 10.5 ms are not a quarter more than 10
  EXPECT_NE(here.pid(), 0U);
  busy.ask();
  loop.advance(100ms);
  here.give_back();  // 110.5 ms are not a quarter and a millisecond more than 100
  EXPECT_NE(busy.pid(), 0U);
  here.ask();
  loop.advance(10ms);
  busy.give_back();
  loop.settle();
  EXPECT_NE(there.pid(), 0U);
  EXPECT_TRUE(here.waits());
}

TEST_F(LinkPool, AWorkerThatDoesNotRunIsSentTwoConnectionsAndNotAll) {
  upstream.pool.size = 4;
  const auto pool = pool_of("u");
  waiting_client a(*pool, 0), b(*pool, 0), c(*pool, 0), d(*pool, 0);
  waiting_client e(*pool, 0), f(*pool, 0), x(*pool, 1), y(*pool, 1), z(*pool, 1);
  for (auto* each : {&a, &b, &c, &d})
    each->ask();
  loop.settle();
  for (auto* each : {&x, &y, &z})
    each->ask();
  loop.advance(100ms);
  e.ask();
  f.ask();
  for (auto* each : {&a, &b, &c, &d})
    each->give_back();  // the other worker has not looked meanwhile
  EXPECT_NE(e.pid(), 0U);
  EXPECT_NE(f.pid(), 0U);
  loop.settle();
  EXPECT_NE(x.pid(), 0U);
  EXPECT_NE(y.pid(), 0U);
  EXPECT_TRUE(z.waits());
  // It has seen them, and may be sent another.
  a.ask();
  loop.advance(100ms);
  e.give_back();
  loop.settle();
  EXPECT_NE(z.pid(), 0U);
}

TEST_F(LinkPool, WhoCameFirstIsServedFirst) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  std::vector<const waiting_client*> order;
  waiting_client busy(*pool, 0), a(*pool, 0, &order), b(*pool, 0, &order), c(*pool, 0, &order);
  busy.ask();
  loop.settle();
  auto gone = std::make_unique<waiting_client>(*pool, 0, &order);
  a.ask();
  gone->ask();
  b.ask();
  c.ask();
  gone.reset();
  busy.give_back();
  a.give_back();
  b.give_back();
  loop.settle();
  EXPECT_THAT(order, ElementsAre(&a, &b, &c));
  EXPECT_EQ(backends.size(), 1U);
  // Nobody overtakes those who wait.
  busy.ask();
  EXPECT_TRUE(busy.waits());
}

TEST_F(LinkPool, WhoWaitsTooLongIsToldAndNobodyElse) {
  upstream.pool.size = 1;
  upstream.max_wait = 5s;
  const auto pool = pool_of("u");
  waiting_client busy(*pool, 0), early(*pool, 0), late(*pool, 0);
  busy.ask();
  loop.settle();
  early.ask();
  loop.advance(3s);
  late.ask();
  loop.advance(2s - 1ms);
  EXPECT_FALSE(early.failure);
  loop.advance(1ms);
  ASSERT_TRUE(early.failure);
  EXPECT_EQ(early.failure->what, connect_failure::kind::crowded);
  EXPECT_EQ(early.failure->why.code, sqlstates::too_many_connections);
  EXPECT_EQ(early.failure->why.message,
            "no server connection became free in 5000 ms: all 1 of pool app/u are in use");
  EXPECT_TRUE(late.waits());
  busy.give_back();
  EXPECT_NE(late.pid(), 0U);
  loop.advance(10s);
  EXPECT_FALSE(late.failure);
}

TEST_F(LinkPool, AnOldConnectionIsNotGivenOut) {
  upstream.pool.max_lifetime = 100s;
  upstream.pool.idle_timeout = 0s;
  const auto pool = pool_of("u");
  warm(*pool, 0, 1);
  loop.advance(89s);  // at least nine tenths of it
  EXPECT_EQ(open_backends(), 1U);
  loop.advance(12s);
  EXPECT_EQ(open_backends(), 0U);
  EXPECT_TRUE(backends[0]->said_goodbye());
  EXPECT_EQ(pool->open(), 0U);
  waiting_client one(*pool, 0);
  one.ask();
  loop.settle();
  EXPECT_EQ(one.pid(), 2U);
}

TEST_F(LinkPool, ABusyConnectionIsReplacedBeforeItIsTooOld) {
  upstream.pool.max_lifetime = 100s;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0);
  one.ask();
  loop.settle();
  const auto lifetime = one.has->retires_at - one.has->born;
  EXPECT_GE(lifetime, 90s);
  EXPECT_LE(lifetime, 100s);
  loop.advance(lifetime * 9 / 10);
  one.give_back();
  loop.settle();
  EXPECT_EQ(backends.size(), 1U);
  ASSERT_TRUE(one.ask());
  loop.advance(lifetime * 6 / 100);
  one.give_back();  // in the last twentieth
  loop.settle();
  EXPECT_EQ(backends.size(), 2U);
  ASSERT_TRUE(one.ask());
  one.give_back();
  loop.advance(lifetime * 5 / 100);
  EXPECT_FALSE(backends[0]->open());
  EXPECT_EQ(backends.size(), 2U) << "one successor is enough";
  ASSERT_TRUE(one.ask());
  EXPECT_EQ(one.pid(), 2U);
}

TEST_F(LinkPool, OneThatIsKeptForLongIsClosedWhenItComesBack) {
  upstream.pool.size = 1;
  upstream.pool.max_lifetime = 10s;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0);
  one.ask();
  loop.advance(11s);
  EXPECT_EQ(open_backends(), 1U) << "nobody takes it from a client";
  two.ask();
  one.give_back();
  loop.settle();
  EXPECT_EQ(two.pid(), 2U);
  EXPECT_EQ(open_backends(), 1U);
}

TEST_F(LinkPool, WhatNobodyUsesIsClosedDownToTheMinimum) {
  upstream.pool = {.size = 5, .min_idle = 2, .max_lifetime = 0s, .idle_timeout = 60s};
  const auto pool = pool_of("u");
  auto client = std::make_unique<link_shelf::client_place>(pool->shelf(0));
  warm(*pool, 0, 5);
  loop.advance(59s);
  EXPECT_EQ(open_backends(), 5U);
  loop.advance(2s);
  EXPECT_EQ(open_backends(), 2U);
  loop.advance(1h);
  EXPECT_EQ(open_backends(), 2U);
  EXPECT_EQ(pool->figures().idle, 2U);
  client.reset();
  loop.advance(2h);
  EXPECT_EQ(open_backends(), 0U) << "without clients nothing is kept ready";
}

TEST_F(LinkPool, WhatIsUsedIsNotIdle) {
  upstream.pool = {.size = 1, .max_lifetime = 0s, .idle_timeout = 60s};
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0);
  one.ask();
  loop.settle();
  for (int i = 0; i < 10; ++i) {
    one.give_back();
    loop.advance(40s);
    ASSERT_TRUE(one.ask());
  }
  EXPECT_EQ(backends.size(), 1U);
}

TEST_F(LinkPool, AServerThatRefusesIsToldToAllWhereThereIsNoConnection) {
  refusal = "no such user";
  upstream.pool.size = 3;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0), three(*pool, 0);
  one.ask();
  two.ask();
  three.ask();
  loop.settle();
  for (const auto* each : {&one, &two, &three}) {
    ASSERT_TRUE(each->failure);
    EXPECT_EQ(each->failure->why.code, sqlstates::invalid_authorization);
    EXPECT_EQ(each->failure->why.message, "no such user");
  }
  EXPECT_EQ(pool->open(), 0U);
  EXPECT_EQ(servers->now()->members[0]->ejected_until(), routing::moment{}) << "others are let in";
  refusal.clear();
  loop.advance(limits::pool_retry_most);
  waiting_client later(*pool, 0);
  later.ask();
  loop.settle();
  EXPECT_NE(later.pid(), 0U);
}

TEST_F(LinkPool, ARefusalWhileOthersAreThereIsTriedAgainLaterAndLater) {
  upstream.max_wait = 1h;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0);
  one.ask();
  loop.settle();
  refusal = "too many";
  two.ask();
  loop.settle();
  EXPECT_FALSE(two.failure);
  EXPECT_EQ(backends.size(), 2U);
  loop.advance(limits::pool_retry);
  EXPECT_EQ(backends.size(), 3U);
  loop.advance(limits::pool_retry);
  EXPECT_EQ(backends.size(), 3U);
  loop.advance(limits::pool_retry);
  EXPECT_EQ(backends.size(), 4U);
  const auto before = backends.size();
  loop.advance(20s);
  EXPECT_LE(backends.size() - before, 14U);
  EXPECT_GE(backends.size() - before, 9U);
  refusal.clear();
  loop.advance(limits::pool_retry_most);
  EXPECT_NE(two.pid(), 0U);
}

TEST_F(LinkPool, AServerThatCannotBeReachedIsToldToo) {
  loop.set_refusing(true);
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0);
  one.ask();
  loop.settle();
  ASSERT_TRUE(one.failure);
  EXPECT_THAT(one.failure->why.message, HasSubstr("Connection refused"));
  EXPECT_EQ(pool->open(), 0U);
}

TEST_F(LinkPool, WhatTheServerEndsWhileItRestsIsNotGivenOut) {
  const auto pool = pool_of("u");
  warm(*pool, 0, 2);
  backends[1]->close();
  protocol::byte_buffer last_word;
  protocol::append_error_response(last_word, {.code = sqlstates::admin_shutdown, .message = "bye"});
  backends[0]->say(last_word);
  loop.settle();
  EXPECT_EQ(pool->open(), 0U);
  EXPECT_EQ(open_backends(), 0U);
}

TEST_F(LinkPool, TracesAreRemovedBeforeTheNextClient) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0);
  one.ask();
  loop.settle();
  one.has->settings.set("work_mem", "1MB");
  two.ask();
  pool->shelf(0).recycle(std::move(one.has), true, "DISCARD ALL");
  EXPECT_EQ(two.pid(), 0U);
  loop.settle();
  ASSERT_EQ(two.pid(), 1U);
  EXPECT_EQ(backends[0]->queries(), 2U);
  EXPECT_EQ(two.has->settings.find("work_mem"), nullptr);
}

TEST_F(LinkPool, AReconnectEndsWhatWasMadeBefore) {
  const auto pool = pool_of("u");
  warm(*pool, 0, 1);
  pool->reconnect();
  waiting_client one(*pool, 0);
  EXPECT_FALSE(one.ask());
  loop.settle();
  EXPECT_EQ(one.pid(), 2U);
  EXPECT_FALSE(backends[0]->open());
}

TEST_F(LinkPool, AChangeOfTheSchemaMakesStatementsStale) {
  const auto pool = pool_of("u");
  const auto other = pool_of("somebody else");
  waiting_client one(*pool, 0);
  one.ask();
  loop.settle();
  one.has->prepared.add({.id = 7, .name = "s7", .content = {}}, pool->epoch());
  EXPECT_TRUE(one.has->prepared.use(7, pool->epoch()));
  pool->schema_changed();
  EXPECT_FALSE(one.has->prepared.use(7, pool->epoch()));
  EXPECT_EQ(other->epoch(), 0U);
  one.has->prepared.remove(7);
  one.has->prepared.add({.id = 7, .name = "s7", .content = {}}, pool->epoch());
  EXPECT_TRUE(one.has->prepared.use(7, pool->epoch()));
}

TEST_F(LinkPool, TheSameClientsHaveTheSamePool) {
  const auto pool = pool_of("u");
  EXPECT_EQ(pool_of("u"), pool);
  EXPECT_NE(pool_of("v"), pool);
  EXPECT_NE(pool_of("u", "other"), pool);
  EXPECT_EQ(pools.all().size(), 3U);
}

TEST_F(LinkPool, ItsEndRefusesWhoWaits) {
  upstream.pool.size = 1;
  const auto pool = pool_of("u");
  waiting_client one(*pool, 0), two(*pool, 0);
  one.ask();
  loop.settle();
  two.ask();
  pools.close_shelves(0);
  ASSERT_TRUE(two.failure);
  EXPECT_EQ(two.failure->why.code, sqlstates::cannot_connect_now);
  one.give_back();
  loop.settle();
  EXPECT_EQ(pool->open(), 0U);
  EXPECT_EQ(open_backends(), 0U);
}

}  // namespace
}  // namespace trunkline::pool
