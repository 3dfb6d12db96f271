#include "storm/reply_check.h"

#include <gmock/gmock.h>

#include "protocol/answer_messages.h"
#include "protocol/session_start.h"

namespace trunkline::storm {
namespace {

using testing::HasSubstr;

const asker me{.run = 0x1f, .client = 7, .session = 2, .request = 30};

std::vector<std::byte> row_of(std::string_view text) {
  const std::optional<byte_span> value = as_bytes(text);
  std::vector<std::byte> message;
  protocol::append_data_row(message, std::span(&value, 1));
  return message;
}

/// The answers that a server gives, told to a check one by one.
class conversation {
 public:
  explicit conversation(std::uint32_t rows) : rows_(me, rows, 4) {
    check_.expect('T').expect_rows('D', rows_).expect('C', "SELECT " + std::to_string(rows)).expect('Z', "I");
  }

  std::expected<bool, problem> say(char type, byte_span body = {}) { return check_.take(type, body); }
  std::expected<bool, problem> say_row(std::string_view text) {
    return say('D', byte_span(row_of(text)).subspan(5));
  }
  std::expected<bool, problem> say_row(std::uint32_t number) { return say_row(rows_.row(number)); }
  std::expected<bool, problem> say_tag(std::string_view tag) {
    std::vector<std::byte> message;
    protocol::append_command_complete(message, tag);
    return say('C', byte_span(message).subspan(5));
  }
  std::expected<bool, problem> say_error(std::string_view code, std::string message) {
    std::vector<std::byte> bytes;
    protocol::append_refusal(bytes, {.code = sqlstate(code), .message = std::move(message)});
    return say('E', byte_span(bytes).subspan(5));
  }
  reply_check& check() { return check_; }

 private:
  row_check rows_;
  reply_check check_;
};

TEST(reply_check, a_right_answer_is_right) {
  conversation with(3);
  EXPECT_EQ(with.say('T'), false);
  for (std::uint32_t number = 1; number <= 3; ++number)
    EXPECT_EQ(with.say_row(number), false);
  EXPECT_EQ(with.say_tag("SELECT 3"), false);
  EXPECT_EQ(with.say('Z', as_bytes("I")), true);
  EXPECT_EQ(with.check().rows(), 3U);
  EXPECT_FALSE(with.say('Z', as_bytes("I")).has_value());
}

fault fault_behind(std::uint32_t rows_before, std::string_view row) {
  conversation with(3);
  (void)with.say('T');
  for (std::uint32_t number = 1; number <= rows_before; ++number)
    EXPECT_TRUE(with.say_row(number).has_value());
  const auto judged = with.say_row(row);
  EXPECT_FALSE(judged.has_value()) << row;
  return judged ? fault::late : judged.error().what;
}

TEST(reply_check, a_wrong_row_says_whose_it_is) {
  EXPECT_EQ(fault_behind(1, "storm1f.7.2.30:1:xxxx"), fault::duplicate_row);
  EXPECT_EQ(fault_behind(1, "storm1f.7.2.30:3:xxxx"), fault::lost_row);
  EXPECT_EQ(fault_behind(1, "storm1f.7.2.30:2:xxxy"), fault::corrupt_row);
  EXPECT_EQ(fault_behind(1, "storm1f.7.2.30:2:xxx"), fault::corrupt_row);
  EXPECT_EQ(fault_behind(1, "storm1f.7.2.29:2:xxxx"), fault::stale_answer);
  EXPECT_EQ(fault_behind(1, "storm1f.7.1.30:2:xxxx"), fault::stale_answer);
  EXPECT_EQ(fault_behind(1, "storm1f.8.2.30:2:xxxx"), fault::foreign_answer);
  EXPECT_EQ(fault_behind(1, "storm20.7.2.30:2:xxxx"), fault::foreign_answer);
  EXPECT_EQ(fault_behind(0, "\x1b[2J"), fault::corrupt_row);
  EXPECT_EQ(fault_behind(3, "storm1f.7.2.30:3:xxxx"), fault::duplicate_row);
  EXPECT_EQ(fault_behind(3, "storm1f.8.2.30:1:xxxx"), fault::foreign_answer);
}

TEST(reply_check, rows_that_do_not_come_are_missing) {
  conversation with(3);
  (void)with.say('T');
  (void)with.say_row(1U);
  const auto judged = with.say_tag("SELECT 1");
  ASSERT_FALSE(judged.has_value());
  EXPECT_EQ(judged.error().what, fault::lost_row);
  EXPECT_THAT(judged.error().message, HasSubstr("1 of 3"));
}

TEST(reply_check, tags_and_states_count) {
  conversation with(0);
  (void)with.say('T');
  EXPECT_EQ(with.say_tag("SELECT 1").error().what, fault::wrong_answer);
  conversation other(0);
  (void)other.say('T');
  (void)other.say_tag("SELECT 0");
  EXPECT_EQ(other.say('Z', as_bytes("T")).error().what, fault::wrong_answer);
  conversation strange(0);
  EXPECT_EQ(strange.say('?').error().what, fault::out_of_protocol);
}

TEST(reply_check, errors_are_told_apart) {
  const auto fault_for = [](std::string_view code, const std::string& message) {
    conversation with(1);
    return with.say_error(code, message).error().what;
  };
  EXPECT_EQ(fault_for("26000", "prepared statement \"storm_1\" does not exist"), fault::lost_prepared);
  EXPECT_EQ(fault_for("42P05", "prepared statement \"storm_1\" already exists"), fault::lost_prepared);
  EXPECT_EQ(fault_for("57014", "canceling statement due to user request"), fault::stray_cancel);
  EXPECT_EQ(fault_for("57014", "canceling statement due to statement timeout"), fault::statement_timeout);
  EXPECT_EQ(fault_for("53300", "too many"), fault::no_capacity);
  EXPECT_EQ(fault_for("57P01", "terminating"), fault::server_ended);
  EXPECT_EQ(fault_for("08006", "server lost"), fault::server_lost);
  EXPECT_EQ(fault_for("42501", "no"), fault::server_error);
  EXPECT_EQ(fault_of(sqlstate("28P01"), stage::auth), fault::login_refused);
  EXPECT_EQ(fault_of(sqlstate("57P03"), stage::auth), fault::not_accepting);
}

TEST(reply_check, an_expected_error_is_no_problem) {
  reply_check check;
  check.expect('1').expect('E', "22012").expect('Z', "I");
  std::vector<std::byte> bytes;
  protocol::append_refusal(bytes, {.code = sqlstate("22012"), .message = "division by zero"});
  EXPECT_EQ(check.take('1', {}), false);
  EXPECT_EQ(check.take('E', byte_span(bytes).subspan(5)), false);
  EXPECT_EQ(check.take('Z', as_bytes("I")), true);
}

}  // namespace
}  // namespace trunkline::storm
