// The stream that holds a session to its policy, fed whole and in pieces: what the server gets, and what the
// client.
#include "session/statement_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "protocol/answer_messages.h"
#include "protocol/message_writer.h"
#include "protocol/query_messages.h"
#include "runtime/simulated_loop.h"

namespace trunkline::session {
namespace {

using runtime::buffer;
using testing::HasSubstr;
using testing::Not;

/// Keeps what it is sent.
class fake_server final : public runtime::byte_stream {
 public:
  explicit fake_server(std::string& into) : into_(into) {}
  void resume_receiving() override {}
  void pause_receiving() override {}
  runtime::sending send(buffer data) override {
    into_ += as_text(data.bytes());
    return runtime::sending::done;
  }
  std::size_t unsent() override { return 0; }
  void finish_sending() override {}
  void close() override {}
  void reset() override {}
  int native_handle() const override { return -1; }
  void say(buffer data) { handler_->on_received(std::move(data)); }

 private:
  std::string& into_;
};

class heard final : public runtime::stream_handler {
 public:
  void on_received(buffer data) override { text += as_text(data.bytes()); }
  void on_end(runtime::stream_end) override {}
  std::string text;
};

class owner final : public guard_owner {
 public:
  sql::effects_cache& effects() override { return cache_; }
  void statement_refused(statement_refusal why) override { refused.push_back(why); }
  void given_enough(error why) override { enough = why.message; }
  std::vector<statement_refusal> refused;
  std::string enough;

 private:
  sql::effects_cache cache_{{}, 64};
};

class StatementGuard : public testing::Test {
 protected:
  StatementGuard() {
    policy_.says.name = "held";
    policy_.guard.denied = 1U << static_cast<unsigned>(config::statement_class::unqualified_write);
  }

  void start() {
    auto server = std::make_unique<fake_server>(sent_);
    server_ = server.get();
    guard_ =
        std::make_unique<statement_guard>(*loop_, owner_, std::move(server), guard_memory{.by = &policy_});
    guard_->set_handler(&heard_);
  }

  template <class Take>
  void in_pieces(std::string_view bytes, std::size_t size, Take take) {
    for (std::size_t at = 0; at < bytes.size(); at += size)
      for (buffer& each : loop_->buffers().copies(as_bytes(bytes.substr(at, size))))
        take(std::move(each));
  }
  void client(std::string_view bytes, std::size_t size = 1U << 20) {
    in_pieces(bytes, size, [this](buffer each) { (void)guard_->send(std::move(each)); });
  }
  void server(std::string_view bytes, std::size_t size = 1U << 20) {
    in_pieces(bytes, size, [this](buffer each) { server_->say(std::move(each)); });
  }

  std::unique_ptr<runtime::simulated_loop> loop_ = std::make_unique<runtime::simulated_loop>(1);
  access::policy policy_;
  owner owner_;
  heard heard_;
  std::string sent_;
  fake_server* server_ = nullptr;
  std::unique_ptr<statement_guard> guard_;  // before the loop that it schedules in
};

std::string text_of(const std::vector<std::byte>& bytes) {
  return std::string(as_text(bytes));
}

std::string query(std::string_view text) {
  std::vector<std::byte> out;
  protocol::append_query(out, text);
  return text_of(out);
}

std::string parse(std::string_view name, std::string_view text) {
  std::vector<std::byte> out;
  protocol::append_parse(out, name, text, {});
  return text_of(out);
}

std::string failed(std::string_view message) {
  std::vector<std::byte> out;
  protocol::append_refusal(out, {.code = sqlstate("42P01"), .message = std::string(message)});
  return text_of(out);
}

const std::string ready("Z\0\0\0\5I", 6);
const std::string sync("S\0\0\0\4", 5);

TEST_F(StatementGuard, SendsOneThatFailsAndPutsItsOwnWordsIntoTheAnswer) {
  for (const std::size_t size : {1UL, 2UL, 3UL, 7UL, 1000UL}) {
    start();
    sent_.clear();
    heard_.text.clear();
    client(query("select 1") + query("delete from t") + query("select 2"), size);
    EXPECT_EQ(sent_, query("select 1") + query(failing_text(policy_)) + query("select 2")) << size;
    server(failed("first") + ready + failed("missing FROM-clause") + ready + failed("third") + ready, size);
    EXPECT_THAT(heard_.text, HasSubstr("first"));
    EXPECT_THAT(heard_.text, Not(HasSubstr("missing FROM-clause")));
    EXPECT_THAT(heard_.text,
                HasSubstr("access policy \"held\" does not allow UPDATE or DELETE without WHERE"));
    EXPECT_THAT(heard_.text, HasSubstr("third"));
    EXPECT_TRUE(guard_->at_rest());
  }
}

TEST_F(StatementGuard, KeepsTheNameOfARefusedParse) {
  start();
  client(parse("mine", "delete from t") + sync);
  EXPECT_EQ(sent_, parse("mine", failing_text(policy_)) + sync);
}

TEST_F(StatementGuard, AnEarlierErrorIsNotMixedUpWithTheRefusal) {
  start();
  client(parse("", "select no") + parse("", "delete from t") + sync + query("select other"));
  server(failed("no such column") + ready + failed("another") + ready);
  EXPECT_THAT(heard_.text, HasSubstr("no such column"));
  EXPECT_THAT(heard_.text, HasSubstr("another"));
  EXPECT_THAT(heard_.text, Not(HasSubstr("access policy")));
  EXPECT_TRUE(guard_->at_rest());
}

TEST_F(StatementGuard, WhatIsTooLargeIsRefusedAndDropped) {
  start();
  client(query("select '" + std::string(limits::guarded_message + 10, 'x') + "'") + query("select 1"),
         60'000);
  EXPECT_EQ(sent_, query(failing_text(policy_)) + query("select 1"));
  EXPECT_THAT(owner_.refused, testing::ElementsAre(statement_refusal::unreadable));
}

TEST_F(StatementGuard, CountsRowsAndStopsBeforeTheOneTooMany) {
  policy_.guard = {.max_rows = 2};
  start();
  const std::string row("D\0\0\0\6\0\0", 7);
  client(query("delete from t"));
  EXPECT_EQ(sent_, query("delete from t")) << "its statements are its own affair";
  server(row + row + row + ready, 5);
  loop_->settle();
  EXPECT_EQ(heard_.text, row + row);
  EXPECT_THAT(owner_.enough, HasSubstr("as much as access policy \"held\" allows"));
}

TEST_F(StatementGuard, ANoticeWaitsForTheEndOfAMessage) {
  start();
  const std::string row("D\0\0\0\6\0\0", 7);
  client(query("select 1"));
  server(row.substr(0, 6));
  guard_->warn("access ends");
  EXPECT_EQ(heard_.text, row.substr(0, 6));
  server(row.substr(6) + ready);
  EXPECT_EQ(heard_.text.substr(0, 7), row);
  EXPECT_THAT(heard_.text, HasSubstr("access ends"));
  heard_.text.clear();
  guard_->warn("access ends soon");
  EXPECT_THAT(heard_.text, HasSubstr("access ends soon"));
}

}  // namespace
}  // namespace trunkline::session
