#include "protocol/session_tracker.h"

#include <gtest/gtest.h>

#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;
using namespace std::string_view_literals;

/// Feeds messages by their types: bodies do not matter, except that `I`, `T`, `E` behind a `Z` is its status.
/// Errors say that the data of a COPY were being read.
struct session {
  session_tracker tracker;

  void client(std::string_view types) {
    for (const char type : types)
      ASSERT_EQ(tracker.client_bytes(message_of(type, type == 'H' || type == 'S' ? 0 : 3)), walk_result::ok);
  }
  void server(std::string_view types) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool ready = types[i] == 'Z';
      const byte_buffer message = ready ? message_of('Z', types.substr(i + 1, 1))
                                        : message_of(types[i], "SERROR\0WCOPY t, line 1\0\0"sv);
      ASSERT_EQ(tracker.server_bytes(message), walk_result::ok);
      i += ready ? 1 : 0;
    }
  }
  bool busy() const { return tracker.busy(); }
};

TEST(SessionTracker, StartsIdleAtABoundary) {
  const session_tracker tracker;
  EXPECT_TRUE(tracker.idle());
  EXPECT_EQ(tracker.status(), transaction_status::idle);
  EXPECT_TRUE(tracker.at_message_boundary(direction::client_to_server));
  EXPECT_TRUE(tracker.at_message_boundary(direction::server_to_client));
  EXPECT_FALSE(tracker.terminate_seen());
  EXPECT_EQ(tracker.fatal_sqlstate(), std::nullopt);
}

TEST(SessionTracker, MayStartBeforeTheFirstReadyForQuery) {
  session s{session_tracker{1}};
  EXPECT_TRUE(s.busy());
  s.server("SSKZI");
  EXPECT_TRUE(s.tracker.idle());
}

TEST(SessionTracker, SimpleQueryAndTransactionStatus) {
  session s;
  s.client("Q");
  EXPECT_TRUE(s.busy());
  s.server("TDDC");
  EXPECT_TRUE(s.busy());
  s.server("ZT");
  EXPECT_FALSE(s.busy());
  EXPECT_FALSE(s.tracker.idle());
  EXPECT_EQ(s.tracker.status(), transaction_status::in_transaction);
  s.client("Q");
  s.server("EZE");
  EXPECT_EQ(s.tracker.status(), transaction_status::failed);
  s.client("F");
  s.server("VZI");
  EXPECT_TRUE(s.tracker.idle());
}

TEST(SessionTracker, ExtendedBatchIsBusyFromItsFirstMessage) {
  session s;
  s.client("P");
  EXPECT_TRUE(s.busy());
  s.client("BDE");
  s.client("H");
  s.server("12TDC");
  EXPECT_TRUE(s.busy()) << "answered by Flush, but no Sync yet";
  s.client("S");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, PipelinesOfAnyDepth) {
  session s;
  for (int i = 0; i < 100'000; ++i)
    s.client("PBES");
  for (int i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(s.busy());
    s.server("12CZI");
  }
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, MixedPipelinesBeyondTheRunsKeepTheirCount) {
  session s;
  for (int i = 0; i < 50; ++i)
    s.client("QPBES");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(s.busy()) << i;
    s.server("ZI");
  }
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, CopyInOfASimpleQuery) {
  session s;
  s.client("Q");
  s.server("G");
  s.client("ddSHd");
  s.client("c");
  EXPECT_TRUE(s.busy());
  s.server("CZI");
  EXPECT_FALSE(s.busy()) << "the Sync was ignored by the server";
}

TEST(SessionTracker, SyncBehindAnExtendedCopyIsSwallowed) {
  session s;
  s.client("PBDES");  // as libpq sends it
  s.server("12nG");
  EXPECT_TRUE(s.busy());
  s.client("dddc");
  EXPECT_TRUE(s.busy());
  s.client("S");
  s.server("C");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, CopySentAheadOfItsCopyInResponse) {
  session s;
  s.client("PBEddcS");
  s.server("12GCZI");
  EXPECT_FALSE(s.busy());
  s.client("PBESddcS");  // the first Sync is swallowed, the second is not
  s.server("12GC");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
  s.client("QdcQ");
  s.server("GCZI");
  EXPECT_TRUE(s.busy());
  s.server("CZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, CopySentAheadOfARefusal) {
  session s;
  s.client("QdcQ");  // the first COPY fails at once; its CopyDone must not end the second one
  s.server("EZIG");
  s.client("S");  // ignored: COPY IN is under way
  s.client("c");
  s.server("CZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, CopyInThatFailsOnTheServer) {
  session s;
  s.client("PBES");
  s.server("12G");
  s.client("dd");
  s.server("E");
  s.client("dc");
  EXPECT_TRUE(s.busy()) << "the server waits for Sync";
  s.client("S");
  s.server("ZI");
  EXPECT_FALSE(s.busy());
  s.client("Q");
  s.server("GE");
  s.client("d");
  s.server("ZI");
  s.client("df");  // still on its way when the error came
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, CopyBothLastsUntilItsReadyForQuery) {
  session s;
  s.client("Q");
  s.server("Wdd");
  s.client("ddd");
  EXPECT_TRUE(s.busy());
  s.client("c");
  s.server("dc");
  EXPECT_TRUE(s.busy());
  s.server("TDCC");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, QueryBehindAnOpenBatch) {
  session s;
  s.client("PBEQ");
  s.server("12CCZI");
  EXPECT_FALSE(s.busy());
  s.client("PBEQS");  // the batch fails, so the Query is skipped: one answer
  s.server("1E");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
  s.client("PBEQS");  // the Query fails: two answers
  s.server("12CEZI");
  EXPECT_TRUE(s.busy());
  s.server("ZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, AfterAnErrorOnlySyncCounts) {
  session s;
  s.client("PH");
  s.server("E");
  s.client("QBEQ");
  EXPECT_TRUE(s.busy());
  s.client("S");
  s.server("ZI");
  EXPECT_FALSE(s.busy());
}

TEST(SessionTracker, AsynchronousMessagesChangeNothing) {
  session s;
  s.server("ANS");
  EXPECT_TRUE(s.tracker.idle());
  s.server("ZI");  // nobody asked
  EXPECT_TRUE(s.tracker.idle());
  s.server("~");
  EXPECT_TRUE(s.tracker.idle());
  s.client("~");  // what the server does not know ends the session; one that knows it goes on
  EXPECT_FALSE(s.tracker.idle());
  s.client("Q");
  s.server("CZI");
  EXPECT_TRUE(s.tracker.idle());
}

TEST(SessionTracker, FatalErrorAtEverySplit) {
  const byte_buffer message =
      message_of('N', "SNOTICE\0"sv) +
      message_of('E', "S\xd0\x92\xd0\x90\xd0\x96\xd0\x9d\xd0\x9e\0VFATAL\0C57P01\0Mterminating\0\0"sv);
  for (std::size_t split = 0; split <= message.size(); ++split) {
    session_tracker tracker;
    ASSERT_EQ(tracker.server_bytes(exact(byte_span{message}.first(split))), walk_result::ok);
    ASSERT_EQ(tracker.server_bytes(exact(byte_span{message}.subspan(split))), walk_result::ok);
    EXPECT_EQ(tracker.fatal_sqlstate(), sqlstates::admin_shutdown) << split;
  }
}

TEST(SessionTracker, FatalErrorByteForByteAndTwice) {
  const byte_buffer stream = message_of('E', "SFATAL\0C57P03\0\0"sv) +
                             message_of('E', "SFATAL\0C57P05\0\0"sv) +
                             message_of('E', "SERROR\0VERROR\0C42601\0\0"sv);
  session_tracker tracker;
  for (const std::byte& byte : stream)
    ASSERT_EQ(tracker.server_bytes({&byte, 1}), walk_result::ok);
  EXPECT_EQ(tracker.fatal_sqlstate(), sqlstates::idle_session_timeout);
}

TEST(SessionTracker, TerminateAndPartialMessages) {
  session_tracker tracker;
  const byte_buffer message = message_of('X', 0);
  ASSERT_EQ(tracker.client_bytes(byte_span{message}.first(2)), walk_result::ok);
  EXPECT_FALSE(tracker.idle());
  EXPECT_FALSE(tracker.at_message_boundary(direction::client_to_server));
  EXPECT_TRUE(tracker.at_message_boundary(direction::server_to_client));
  ASSERT_EQ(tracker.client_bytes(byte_span{message}.subspan(2)), walk_result::ok);
  EXPECT_TRUE(tracker.terminate_seen());
}

TEST(SessionTracker, EachDirectionIsBadByItself) {
  session_tracker tracker;
  EXPECT_EQ(tracker.client_bytes(bytes_of("Q") + big_endian(3)), walk_result::bad);
  EXPECT_EQ(tracker.server_bytes(message_of('Z', "I")), walk_result::ok);
  EXPECT_EQ(tracker.server_bytes(bytes_of("D") + big_endian(0x8000'0000)), walk_result::bad);
}

TEST(SessionTracker, MalformedReadyForQueryLeavesTheStatus) {
  session_tracker tracker;
  ASSERT_EQ(tracker.server_bytes(message_of('Z', "T") + message_of('Z', "?") + message_of('Z', 0)),
            walk_result::ok);
  EXPECT_EQ(tracker.status(), transaction_status::in_transaction);
}

}  // namespace
}  // namespace trunkline::protocol
