#include "session/relay_machine.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::session {
namespace {

using telemetry::cause;

relay_view idle_view() {
  return {.idle = true, .client_boundary = true};
}
relay_view busy_view() {
  return {.busy = true, .client_boundary = true};
}

TEST(RelayMachine, TerminateAndFinEndAtOnce) {
  relay_machine machine;
  auto view = idle_view();
  view.terminate_seen = true;
  const auto actions = machine.on(relay_event::client_fin, view);
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::client_terminate);
  EXPECT_FALSE(actions.cancel_statement);
}

TEST(RelayMachine, TerminateWaitsForBytesThatTheServerHasNotTaken) {
  relay_machine machine;
  auto view = idle_view();
  view.terminate_seen = view.server_unsent = true;
  const auto actions = machine.on(relay_event::client_fin, view);
  EXPECT_FALSE(actions.end);
  EXPECT_TRUE(actions.finish_server);
}

TEST(RelayMachine, AFinIsPassedOnAsAFin) {
  relay_machine machine;
  const auto first = machine.on(relay_event::client_fin, idle_view());
  EXPECT_TRUE(first.finish_server);
  EXPECT_FALSE(first.end);
  const auto second = machine.on(relay_event::server_fin, idle_view());
  ASSERT_TRUE(second.end);
  EXPECT_EQ(second.end->what, cause::client_eof);
}

TEST(RelayMachine, AVanishedClientsStatementIsCancelledAndTheServerLetGoWithinASecond) {
  relay_machine machine;
  const auto fin = machine.on(relay_event::client_fin, busy_view());
  ASSERT_TRUE(fin.wait);
  const auto first = machine.on(relay_event::wait_over, busy_view());
  EXPECT_TRUE(first.cancel_statement);
  ASSERT_TRUE(first.wait);
  EXPECT_LT(*fin.wait + *first.wait, std::chrono::seconds(1));
  const auto second = machine.on(relay_event::wait_over, busy_view());
  EXPECT_FALSE(second.cancel_statement);
  EXPECT_TRUE(second.reset_server);
  ASSERT_TRUE(second.end);
  EXPECT_EQ(second.end->what, cause::client_eof);
}

TEST(RelayMachine, AHalfClosedClientThatIsStillServedIsLeftInPeace) {
  relay_machine machine;
  (void)machine.on(relay_event::client_fin, busy_view());
  auto view = busy_view();
  view.progress = true;
  for (int i = 0; i < 100; ++i) {
    const auto actions = machine.on(relay_event::wait_over, view);
    EXPECT_FALSE(actions.cancel_statement);
    EXPECT_FALSE(actions.end);
    ASSERT_TRUE(actions.wait);
  }
}

TEST(RelayMachine, ALostClientsStatementIsCancelledAtOnce) {
  relay_machine machine;
  const auto actions = machine.on(relay_event::client_reset, busy_view());
  EXPECT_TRUE(actions.cancel_statement);
  EXPECT_TRUE(actions.reset_server);
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::client_reset);
}

TEST(RelayMachine, AResetAfterTerminateWasAGoodbye) {
  relay_machine machine;
  auto view = idle_view();
  view.terminate_seen = true;
  const auto actions = machine.on(relay_event::client_reset, view);
  EXPECT_EQ(actions.end->what, cause::client_terminate);
}

TEST(RelayMachine, TheServersLastWordIsTheCause) {
  relay_machine machine;
  auto view = idle_view();
  view.fatal = sqlstate("57P01");
  const auto fin = machine.on(relay_event::server_fin, view);
  EXPECT_TRUE(fin.finish_client);
  EXPECT_FALSE(fin.tell_client);
  const auto end = machine.on(relay_event::client_fin, view);
  ASSERT_TRUE(end.end);
  EXPECT_EQ(end.end->text(), "server_fatal:57P01");
}

TEST(RelayMachine, ALostServerIsToldWhereTheProtocolAllowsIt) {
  for (const bool boundary : {true, false}) {
    relay_machine machine;
    auto view = busy_view();
    view.client_boundary = boundary;
    const auto actions = machine.on(relay_event::server_reset, view);
    EXPECT_EQ(actions.tell_client.has_value(), boundary);
    EXPECT_TRUE(actions.reset_client);
    ASSERT_TRUE(actions.end);
    EXPECT_EQ(actions.end->what, cause::server_reset);
    if (boundary) {
      EXPECT_EQ(actions.tell_client->code.view(), "08006");
    }
  }
}

TEST(RelayMachine, ASlowClientGetsAllThatADeadServerSaid) {
  relay_machine machine;
  auto view = idle_view();
  view.client_unsent = true;
  ASSERT_TRUE(machine.on(relay_event::server_fin, view).wait);
  EXPECT_FALSE(machine.on(relay_event::wait_over, view).end);
  view.client_unsent = false;
  const auto end = machine.on(relay_event::wait_over, view);
  ASSERT_TRUE(end.end);
  EXPECT_EQ(end.end->what, cause::server_eof);
}

TEST(RelayMachine, DrainWaitsForTheTransaction) {
  relay_machine machine;
  auto view = busy_view();
  EXPECT_FALSE(machine.on(relay_event::drain, view).end);
  EXPECT_TRUE(machine.draining());
  EXPECT_FALSE(machine.on(relay_event::at_rest, view).end);
  const auto actions = machine.on(relay_event::at_rest, idle_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::drain);
  ASSERT_TRUE(actions.tell_client);
  EXPECT_EQ(actions.tell_client->code.view(), "57P01");
  EXPECT_TRUE(actions.terminate_server);
}

TEST(RelayMachine, TheGraceTimeEndsEvenABusySession) {
  relay_machine machine;
  const auto actions = machine.on(relay_event::drain_over, busy_view());
  ASSERT_TRUE(actions.end);
  EXPECT_TRUE(actions.cancel_statement);
  EXPECT_EQ(actions.end->what, cause::drain);
}

// ---- its server is no longer right for it ----

TEST(RelayMachine, AnIdleSessionLeavesItsServerAtOnce) {
  relay_machine machine;
  const auto actions = machine.on(relay_event::leave, idle_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::endpoint_gone);
  EXPECT_EQ(actions.end->text(), "endpoint_gone");
  ASSERT_TRUE(actions.tell_client);
  EXPECT_EQ(actions.tell_client->code.view(), "57P01");
  EXPECT_FALSE(actions.tell_client->hint.empty());
  EXPECT_TRUE(actions.terminate_server);
  EXPECT_FALSE(actions.cancel_statement);
}

TEST(RelayMachine, LeavingWaitsForTheTransaction) {
  relay_machine machine;
  const relay_view in_transaction{.client_boundary = true};
  for (const auto& view : {busy_view(), in_transaction}) {
    const auto actions = machine.on(relay_event::leave, view);
    EXPECT_FALSE(actions.end || actions.tell_client || actions.cancel_statement || actions.wait);
    EXPECT_FALSE(machine.on(relay_event::at_rest, view).end);
  }
  EXPECT_TRUE(machine.draining());
  const auto actions = machine.on(relay_event::at_rest, idle_view());
  ASSERT_TRUE(actions.end && actions.tell_client);
  EXPECT_EQ(actions.end->what, cause::endpoint_gone);
  EXPECT_TRUE(actions.terminate_server);
}

TEST(RelayMachine, LeavingNowWaitsForNothing) {
  const relay_view in_transaction{.client_boundary = true};
  for (const auto& view : {idle_view(), busy_view(), in_transaction}) {
    relay_machine machine;
    const auto actions = machine.on(relay_event::leave_now, view);
    ASSERT_TRUE(actions.end && actions.tell_client);
    EXPECT_EQ(actions.end->what, cause::endpoint_gone);
    EXPECT_EQ(actions.tell_client->code.view(), "57P01");
    EXPECT_EQ(actions.cancel_statement, view.busy);
    EXPECT_EQ(actions.terminate_server, view.idle);
  }
}

TEST(RelayMachine, LeavingNowAfterLeaving) {
  relay_machine machine;
  EXPECT_FALSE(machine.on(relay_event::leave, busy_view()).end);
  const auto actions = machine.on(relay_event::leave_now, busy_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::endpoint_gone);
  EXPECT_TRUE(actions.cancel_statement);
}

TEST(RelayMachine, NoErrorIntoTheMiddleOfAMessage) {
  for (const auto event : {relay_event::leave, relay_event::leave_now}) {
    relay_machine machine;
    auto view = idle_view();
    view.client_boundary = false;
    const auto actions = machine.on(event, view);
    ASSERT_TRUE(actions.end);
    EXPECT_EQ(actions.end->what, cause::endpoint_gone);
    EXPECT_FALSE(actions.tell_client);
  }
}

TEST(RelayMachine, AServerThatGoesWhileTheGatewayDrainsIsWhatTheClientHearsOf) {
  relay_machine machine;
  EXPECT_FALSE(machine.on(relay_event::drain, busy_view()).end);
  EXPECT_FALSE(machine.on(relay_event::leave, busy_view()).end);
  const auto actions = machine.on(relay_event::at_rest, idle_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::endpoint_gone);
}

TEST(RelayMachine, TheGraceTimeEndsASessionThatIsLeaving) {
  relay_machine machine;
  EXPECT_FALSE(machine.on(relay_event::leave, busy_view()).end);
  EXPECT_FALSE(machine.on(relay_event::drain, busy_view()).end);
  const auto actions = machine.on(relay_event::drain_over, busy_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::drain);
  EXPECT_TRUE(actions.cancel_statement);
}

TEST(RelayMachine, LeavingDoesNotHideWhyAnEndCame) {
  relay_machine machine;
  EXPECT_FALSE(machine.on(relay_event::leave, busy_view()).end);
  const auto actions = machine.on(relay_event::client_reset, busy_view());
  ASSERT_TRUE(actions.end);
  EXPECT_EQ(actions.end->what, cause::client_reset);
}

TEST(RelayMachine, EachTimeoutHasItsCauseAndSqlstate) {
  const struct {
    relay_event event;
    cause what;
    const char* code;
  } all[] = {{relay_event::idle_timeout, cause::idle_timeout, "57P05"},
             {relay_event::transaction_timeout, cause::transaction_timeout, "25P04"},
             {relay_event::session_timeout, cause::session_timeout, "57P01"},
             {relay_event::protocol_client, cause::protocol_client, "08P01"}};
  for (const auto& each : all) {
    relay_machine machine;
    const auto actions = machine.on(each.event, idle_view());
    ASSERT_TRUE(actions.end && actions.tell_client);
    EXPECT_EQ(actions.end->what, each.what);
    EXPECT_EQ(actions.tell_client->code.view(), each.code);
    EXPECT_FALSE(actions.tell_client->hint.empty() && each.event != relay_event::protocol_client);
  }
}

}  // namespace
}  // namespace trunkline::session
