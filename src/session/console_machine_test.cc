// The console's side of the protocol, on a desk that knows three statements.
#include "session/console_machine.h"

#include <gmock/gmock.h>

#include "base/limits.h"
#include "protocol/frame.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"

namespace trunkline::session {
namespace {

constexpr console_column columns[] = {{"name", console_type::text},
                                      {"small", console_type::int4},
                                      {"large", console_type::int8},
                                      {"ratio", console_type::float8},
                                      {"count", console_type::numeric}};

class small_desk final : public console_desk {
 public:
  std::vector<result<console_statement>> read(std::string_view sql) const override {
    std::vector<result<console_statement>> all;
    while (!sql.empty()) {
      const auto one = sql.substr(0, sql.find(';'));
      sql.remove_prefix(std::min(sql.size(), one.size() + 1));
      if (one == "rows") all.push_back(console_statement{.columns = columns, .tag = "SHOW"});
      if (one == "begin") all.push_back(console_statement{.tag = "BEGIN", .effect = console_effect::begin});
      if (one == "commit")
        all.push_back(console_statement{.tag = "COMMIT", .effect = console_effect::commit});
      if (one == "bad") {
        all.push_back(fail({.code = sqlstate("42601"), .message = "no", .hint = "yes"}));
        break;
      }
    }
    return all;
  }
  result<console_rows> rows(const console_statement&) override { return console_rows{}; }
  runtime::work_pool& work() override { return pool_; }
  std::string_view version() const override { return "1"; }

 private:
  runtime::work_pool pool_{1, 1};
};

class ConsoleMachineTest : public ::testing::Test {
 protected:
  /// Sends whole messages and answers what is wanted; returns the types of the replies.
  std::string say(const protocol::byte_buffer& messages) {
    replies.clear();
    byte_span rest = messages;
    while (!rest.empty()) {
      const auto read = protocol::next_frame(rest, limits::console_message_bytes);
      const auto& frame = std::get<protocol::frame>(read);
      machine.take(frame.type, frame.body, replies);
      rest = rest.subspan(frame.size);
      while (const auto* wanted = machine.wanted())
        machine.give(answer ? write_rows(*wanted, *answer) : fail({.message = "too late"}), replies);
    }
    return types();
  }
  std::string types() const {
    std::string all;
    for_each([&](const protocol::frame& each) { all += each.type; });
    return all;
  }
  void for_each(auto&& visit) const {
    for (byte_span rest = replies; !rest.empty();) {
      const auto read = protocol::next_frame(rest, 1 << 30);
      visit(std::get<protocol::frame>(read));
      rest = rest.subspan(std::get<protocol::frame>(read).size);
    }
  }
  std::string code() const {
    std::string found;
    for_each([&](const protocol::frame& each) {
      if (each.type == 'E') found = std::string(protocol::notice_fields(each.body).code().view());
    });
    return found;
  }
  static protocol::byte_buffer query(std::string_view sql) {
    protocol::byte_buffer out;
    protocol::append_query(out, sql);
    return out;
  }

  small_desk desk;
  console_machine machine{desk};
  protocol::byte_buffer replies;
  std::optional<console_rows> answer =
      console_rows{.rows = {{"a", "1", "2", "0.5", "70001"}, {std::nullopt, "-7", "9000000000", "0", "0"}}};
};

TEST_F(ConsoleMachineTest, SimpleQueries) {
  EXPECT_EQ(say(query("rows")), "TDDCZ");
  EXPECT_EQ(say(query("rows;begin;rows")), "TDDCCTDDCZ");
  EXPECT_EQ(machine.status(), 'T');
  EXPECT_EQ(say(query("")), "IZ");
  EXPECT_EQ(say(query("rows;bad;rows")), "TDDCEZ");
  EXPECT_EQ(machine.status(), 'E');
  EXPECT_EQ(say(query("rows")), "EZ");
  EXPECT_EQ(code(), "25P02");
  EXPECT_EQ(say(query("commit;rows")), "CTDDCZ");
  EXPECT_EQ(machine.status(), 'I');
  answer.reset();
  EXPECT_EQ(say(query("rows;rows")), "EZ");
}

TEST_F(ConsoleMachineTest, ANoticeComesFirst) {
  answer->notice = "careful";
  EXPECT_EQ(say(query("rows")), "NTDDCZ");
}

protocol::byte_buffer bind_with(std::vector<std::uint16_t> formats, std::string_view statement = "") {
  protocol::byte_buffer out;
  protocol::message_writer writer(out, 'B');
  writer.text("").text(statement).u16(0).u16(0).u16(static_cast<std::uint16_t>(formats.size()));
  for (const std::uint16_t each : formats)
    writer.u16(each);
  return out;
}

TEST_F(ConsoleMachineTest, TheExtendedProtocol) {
  protocol::byte_buffer out;
  protocol::append_parse(out, "s", "rows");
  protocol::append_describe(out, protocol::describe_target::statement, "s");
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "1tTZ");
  out = {};
  protocol::append_bind(out, "p", "s", {});
  protocol::append_describe(out, protocol::describe_target::portal, "p");
  protocol::append_execute(out, "p", 1);
  protocol::append_execute(out, "p", 1);
  protocol::append_execute(out, "p", 1);
  protocol::append_close(out, protocol::describe_target::portal, "p");
  protocol::append_close(out, protocol::describe_target::statement, "s");
  protocol::append_close(out, protocol::describe_target::statement, "never was");
  protocol::append_flush(out);
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "2TDsDsC333Z");
}

TEST_F(ConsoleMachineTest, BinaryValues) {
  protocol::byte_buffer out;
  protocol::append_parse(out, "", "rows");
  const auto bind = bind_with({1});
  out.insert(out.end(), bind.begin(), bind.end());
  protocol::append_execute(out, "");
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "12DDCZ");
  std::vector<std::vector<std::string>> rows;
  for_each([&](const protocol::frame& each) {
    if (each.type != 'D') return;
    auto& row = rows.emplace_back();
    const auto decoded = protocol::decode_data_row(each.body);
    ASSERT_TRUE(decoded);
    for (const auto& value : *decoded)
      row.emplace_back(value ? as_text(*value) : "NULL");
  });
  using std::string;
  EXPECT_EQ(rows[0][0], "a");
  EXPECT_EQ(rows[0][1], string("\0\0\0\1", 4));
  EXPECT_EQ(rows[0][2], string("\0\0\0\0\0\0\0\2", 8));
  EXPECT_EQ(rows[0][3], string("\x3f\xe0\0\0\0\0\0\0", 8));
  // numeric_send: two digits 7 and 1 in base 10,000, the first of weight 1.
  EXPECT_EQ(rows[0][4], string("\0\2\0\1\0\0\0\0\0\7\0\1", 12));
  EXPECT_EQ(rows[1][0], "NULL");
  EXPECT_EQ(rows[1][1], string("\xff\xff\xff\xf9", 4));
  EXPECT_EQ(rows[1][4], string("\0\0\0\0\0\0\0\0", 8));
}

TEST_F(ConsoleMachineTest, AnErrorSkipsToSync) {
  protocol::byte_buffer out;
  protocol::append_parse(out, "", "bad");
  protocol::append_bind(out, "", "", {});
  protocol::append_execute(out, "");
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "EZ");
  const std::optional<std::string_view> one[] = {"1"};
  const std::pair<std::string, std::string> cases[] = {{"rows;rows", "42601"}, {"rows", "08P01"}};
  for (const auto& [sql, wanted] : cases) {
    out = {};
    protocol::append_parse(out, "", sql);
    protocol::append_bind(out, "", "", one);
    protocol::append_sync(out);
    say(out);
    EXPECT_EQ(code(), wanted) << sql;
  }
  out = {};
  protocol::append_bind(out, "", "none", {});
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "EZ");
  EXPECT_EQ(code(), "26000");
  out = {};
  protocol::append_execute(out, "none");
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "EZ");
  EXPECT_EQ(code(), "34000");
}

TEST_F(ConsoleMachineTest, StatementsAndAnswersAreBounded) {
  protocol::byte_buffer out;
  for (std::size_t i = 0; i <= limits::console_statements; ++i)
    protocol::append_parse(out, "s" + std::to_string(i), "rows");
  protocol::append_sync(out);
  EXPECT_EQ(say(out), std::string(limits::console_statements, '1') + "EZ");
  EXPECT_EQ(code(), "54000");
  answer = console_rows{};
  answer->rows.assign(40, {std::string(1 << 20, 'x'), "1", "1", "1", "1"});
  EXPECT_EQ(say(query("rows")), "EZ");
  EXPECT_EQ(code(), "54000");
}

TEST_F(ConsoleMachineTest, OnlyOnePortalKeepsRows) {
  protocol::byte_buffer out;
  protocol::append_parse(out, "", "rows");
  for (const char* portal : {"a", "b"}) {
    protocol::append_bind(out, portal, "", {});
    protocol::append_execute(out, portal, 1);
  }
  protocol::append_sync(out);
  EXPECT_EQ(say(out), "12Ds2EZ");
  EXPECT_EQ(code(), "54000");
}

TEST_F(ConsoleMachineTest, TerminateAndNonsense) {
  protocol::byte_buffer out;
  protocol::append_terminate(out);
  EXPECT_EQ(say(out), "");
  EXPECT_TRUE(machine.terminated());
  console_machine other(desk);
  other.take('d', {}, replies);
  EXPECT_TRUE(other.broken());
  console_machine third(desk);
  third.take('B', as_bytes("x"), replies);
  EXPECT_TRUE(third.broken());
}

}  // namespace
}  // namespace trunkline::session
