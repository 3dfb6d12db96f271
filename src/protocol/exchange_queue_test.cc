// The rules one by one; tests/conformance asks real servers about random conversations.
#include "protocol/exchange_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::protocol {
namespace {

using verdict = exchange_queue::verdict;

/// Messages by their types. `e` is an error that a COPY raised while it read, `b` one before it read,
/// `!` a fatal one.
struct watched {
  exchange_queue queue;

  std::vector<std::uint64_t> client(std::string_view types) {
    std::vector<std::uint64_t> numbers;
    for (const char type : types)
      numbers.push_back(queue.client_message(type, type == 'H' || type == 'S' ? 4 : 9));
    return numbers;
  }
  verdict server_one(char type) {
    switch (type) {
      case 'Z':
        return queue.ready_for_query();
      case 'E':
        return queue.error_response({});
      case 'e':
        return queue.error_response({.copy = copy_progress::in_data});
      case 'b':
        return queue.error_response({.copy = copy_progress::before_data});
      case '!':
        return queue.error_response({.fatal = true});
      default:
        return queue.server_message(type);
    }
  }
  /// What of `types` was not expected.
  std::string server(std::string_view types) {
    std::string strange;
    for (const char type : types) {
      if (server_one(type) != verdict::expected) strange += type;
    }
    return strange;
  }
};

TEST(ExchangeQueue, NumbersRequestsAndKnowsWhoseAnswerComes) {
  watched s;
  EXPECT_TRUE(s.queue.at_rest());
  EXPECT_EQ(s.client("QPBHEdS"), (std::vector<std::uint64_t>{1, 2, 3, 0, 4, 0, 5}));
  EXPECT_EQ(s.queue.current(), 1u);
  EXPECT_EQ(s.server("TDCZ"), "");
  EXPECT_EQ(s.queue.current(), 2u);
  EXPECT_EQ(s.server("12"), "");
  EXPECT_EQ(s.queue.current(), 4u);
  EXPECT_EQ(s.queue.current_kind(), request_kind::execute);
  EXPECT_EQ(s.server("NDCZ"), "");
  EXPECT_EQ(s.queue.current(), 0u);
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, SaysWhatMayCome) {
  watched s;
  EXPECT_FALSE(s.queue.expects('C'));
  EXPECT_TRUE(s.queue.expects('A'));
  s.client("D");
  EXPECT_TRUE(s.queue.expects('t') && s.queue.expects('T') && s.queue.expects('n') && s.queue.expects('E'));
  EXPECT_FALSE(s.queue.expects('Z') || s.queue.expects('C'));
  EXPECT_EQ(s.server("t"), "");
  EXPECT_FALSE(s.queue.expects('t'));
  EXPECT_EQ(s.server("CZ"), "CZ");
  EXPECT_TRUE(s.queue.at_rest()) << "ReadyForQuery mends what was not understood";
}

TEST(ExchangeQueue, AnErrorSkipsToSync) {
  watched s;
  s.client("PBEQPES");
  EXPECT_EQ(s.server("1E"), "");
  EXPECT_EQ(s.queue.current(), 7u) << "Execute to Execute are skipped, the Query too";
  EXPECT_EQ(s.server("Z"), "");
  EXPECT_TRUE(s.queue.at_rest());
  s.client("P");
  EXPECT_EQ(s.server("E"), "");
  EXPECT_TRUE(s.queue.skipping());
  EXPECT_EQ(s.client("QPHF"), (std::vector<std::uint64_t>{9, 10, 0, 11}));
  EXPECT_EQ(s.queue.current(), 0u);
  EXPECT_FALSE(s.queue.at_rest() || s.queue.awaits_answer());
  s.client("S");
  EXPECT_EQ(s.server("Z"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, AnErrorMayComeWhenTheTransactionCommits) {
  watched s;
  s.client("F");
  EXPECT_EQ(s.server("VEZ"), "");
  s.client("Q");
  EXPECT_EQ(s.server("CEZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, AnErrorMayComeAtSync) {
  watched s;
  s.client("PBESQ");  // a deferred constraint
  EXPECT_EQ(s.server("12CEZ"), "");
  EXPECT_EQ(s.queue.current(), 5u);
  EXPECT_EQ(s.server("CZ"), "");
  s.client("P");
  EXPECT_EQ(s.server("1E"), "") << "statement_timeout reaches into an open batch";
  EXPECT_TRUE(s.queue.skipping());
  s.client("S");
  EXPECT_EQ(s.server("ZE"), "E") << "at rest only a fatal error may come";
  EXPECT_EQ(s.server("!"), "");
}

TEST(ExchangeQueue, ACopyThatReadsDropsTheSyncsBeforeItsEnd) {
  watched s;
  s.client("PBES");
  EXPECT_EQ(s.server("12G"), "");
  EXPECT_TRUE(s.queue.waits_for_copy_data());
  s.client("dSdHdcS");
  EXPECT_EQ(s.server("C"), "");
  EXPECT_EQ(s.queue.current(), 6u) << "4 and 5 are dropped";
  EXPECT_EQ(s.server("Z"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, ACopyThatFailsBeforeItReadsDropsNone) {
  watched s;
  s.client("PBESdcS");
  EXPECT_EQ(s.server("12Gb"), "");
  EXPECT_EQ(s.queue.current(), 4u);
  EXPECT_EQ(s.server("ZZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
  s.client("PBESdcS");
  EXPECT_EQ(s.server("12Ge"), "");
  EXPECT_EQ(s.queue.current(), 10u);
  EXPECT_EQ(s.server("Z"), "");
  EXPECT_TRUE(s.queue.at_rest());
  s.client("QSdcQ");
  EXPECT_EQ(s.server("GbZZ"), "");
  EXPECT_EQ(s.server("CZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
  s.client("QS");
  EXPECT_EQ(s.server("GE"), "") << "before CopyDone it can only have failed early";
  EXPECT_EQ(s.server("ZZ"), "");
  EXPECT_TRUE(s.queue.at_rest() && s.queue.certain());
}

TEST(ExchangeQueue, SaysWhereItCannotKnow) {
  watched s;
  for (const bool dropped : {true, false}) {
    s.client("PBESdcSP");
    EXPECT_EQ(s.server("12GE"), "") << "a trigger before the data, or a constraint behind them";
    EXPECT_FALSE(s.queue.certain());
    EXPECT_EQ(s.server("Z"), "");
    EXPECT_FALSE(s.queue.certain());
    if (!dropped) {
      EXPECT_EQ(s.server("Z"), "");
    }
    EXPECT_EQ(s.server("1"), "");
    EXPECT_TRUE(s.queue.certain());
    s.client("S");
    EXPECT_EQ(s.server("Z"), "");
    EXPECT_TRUE(s.queue.at_rest());
  }
}

TEST(ExchangeQueue, TwoCopiesOfOneQueryHaveAnEndEach) {
  watched s;
  s.client("QdcdcQ");
  EXPECT_EQ(s.server("GCGC"), "");
  EXPECT_EQ(s.server("TDCZ"), "");
  EXPECT_EQ(s.queue.current(), 2u);
  EXPECT_EQ(s.server("CZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, CopyDoneOutsideACopyMeansNothing) {
  watched s;
  s.client("cf");
  EXPECT_TRUE(s.queue.at_rest());
  s.client("QcPBES");
  EXPECT_EQ(s.server("CZ12CZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, CopyBothTakesWhatComes) {
  watched s;
  s.client("Q");
  EXPECT_EQ(s.server("Wd"), "");
  s.client("dc");
  EXPECT_EQ(s.server("dcTDCCZ"), "");
  EXPECT_TRUE(s.queue.at_rest());
}

TEST(ExchangeQueue, AForeignTypeEndsTheSessionAlsoWhereOthersAreSkipped) {
  watched s;
  s.client("P");
  EXPECT_EQ(s.server("E"), "");
  s.client("~");
  EXPECT_FALSE(s.queue.at_rest());
  EXPECT_EQ(s.server("!"), "");
}

TEST(ExchangeQueue, HoldsDeepPipelinesAndGivesTheirMemoryBack) {
  watched s;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 20'000; ++i)
      s.client("BES");
    for (int i = 0; i < 20'000; ++i)
      ASSERT_EQ(s.server("2CZ"), "");
    EXPECT_TRUE(s.queue.at_rest());
    EXPECT_EQ(s.queue.pipelined(), 0u);
  }
}

TEST(ExchangeQueue, SyncsInsideACopyAreBounded) {
  watched s;
  s.client("Q");
  EXPECT_EQ(s.server("G"), "");
  for (int i = 0; i < 100'000; ++i)
    s.client("S");
  EXPECT_LT(s.queue.pipelined(), 2'000u);
  s.client("cQ");
  EXPECT_EQ(s.server("CZ"), "");
  EXPECT_EQ(s.queue.current(), 100'002u);
}

}  // namespace
}  // namespace trunkline::protocol
