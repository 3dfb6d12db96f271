#include "storm/reply_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "protocol/notice_fields.h"
#include "protocol/row_messages.h"

namespace trunkline::storm {
namespace {

struct named_type {
  char type;
  std::string_view name;
};

constexpr std::array named_types{
    named_type{'1', "ParseComplete"},
    named_type{'2', "BindComplete"},
    named_type{'3', "CloseComplete"},
    named_type{'A', "NotificationResponse"},
    named_type{'C', "CommandComplete"},
    named_type{'D', "DataRow"},
    named_type{'E', "ErrorResponse"},
    named_type{'G', "CopyInResponse"},
    named_type{'H', "CopyOutResponse"},
    named_type{'I', "EmptyQueryResponse"},
    named_type{'K', "BackendKeyData"},
    named_type{'N', "NoticeResponse"},
    named_type{'R', "Authentication"},
    named_type{'S', "ParameterStatus"},
    named_type{'T', "RowDescription"},
    named_type{'V', "FunctionCallResponse"},
    named_type{'W', "CopyBothResponse"},
    named_type{'Z', "ReadyForQuery"},
    named_type{'c', "CopyDone"},
    named_type{'d', "CopyData"},
    named_type{'n', "NoData"},
    named_type{'s', "PortalSuspended"},
    named_type{'t', "ParameterDescription"},
};

/// What the message says of itself, as far as an expectation may name it.
std::string detail_of(char type, byte_span body) {
  if (type == 'C') return std::string(protocol::decode_command_complete(body).value_or(""));
  if (type == 'E') return std::string(protocol::notice_fields(body).code().view());
  if (type == 'Z') return std::string(as_text(body));
  return "";
}

/// The one column of a DataRow, without a copy.
std::optional<std::string_view> only_column(byte_span body) {
  if (body.size() < 6 || load_u16(body.data()) != 1) return std::nullopt;
  if (load_u32(body.data() + 2) != body.size() - 6) return std::nullopt;
  return as_text(body.subspan(6));
}

}  // namespace

std::string_view message_name(char type) {
  const auto* found = std::ranges::find(named_types, type, &named_type::type);
  return found == named_types.end() ? "an unknown message" : found->name;
}

problem problem_of(byte_span error_body, stage where) {
  const protocol::notice_fields fields(error_body);
  std::string message = one_line(fields.message());
  fault what = fault_of(fields.code(), where);
  // One SQLSTATE stands for both; where the server speaks another language it counts as a cancel.
  if (what == fault::stray_cancel && message.find("timeout") != message.npos) what = fault::statement_timeout;
  return {.what = what, .where = where, .code = fields.code(), .message = std::move(message)};
}

reply_check& reply_check::expect(char type, std::string detail) {
  expected_.push_back({type, std::move(detail)});
  return *this;
}

reply_check& reply_check::expect_rows(char type, row_check rows) {
  expected_.push_back({type, "", true, std::move(rows)});
  return *this;
}

reply_check& reply_check::expect_value(std::string text) {
  return expect('D', std::move(text));
}

std::expected<bool, problem> reply_check::take(char type, byte_span body) {
  if (at_ == expected_.size()) return std::unexpected(unexpected(type, body));
  message& next = expected_[at_];
  if (next.is_rows && type != next.type && next.rows.complete()) {
    took_one();
    return take(type, body);
  }
  if (type != next.type) return std::unexpected(unexpected(type, body));
  if (next.is_rows) {
    if (auto wrong = take_row(next, type, body)) return std::unexpected(std::move(*wrong));
    ++rows_;
    return false;
  }
  if (type == 'D') {
    const auto value = only_column(body);
    if (!value || *value != next.detail) return std::unexpected(unexpected(type, body));
    ++rows_;
  } else if (!next.detail.empty() && detail_of(type, body) != next.detail) {
    return std::unexpected(unexpected(type, body));
  }
  return took_one();
}

std::expected<bool, problem> reply_check::took_one() {
  ++at_;
  return done();
}

std::optional<problem> reply_check::take_row(message& of, char type, byte_span body) {
  std::string_view text = as_text(body);
  if (type == 'D') {
    const auto value = only_column(body);
    if (!value)
      return problem{.what = fault::corrupt_row,
                     .where = stage::transfer,
                     .code = {},
                     .message = "a row without its one column"};
    text = *value;
  } else if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return of.rows.take(text);
}

problem reply_check::unexpected(char type, byte_span body) const {
  const stage where = at_ == 0 ? stage::query : stage::transfer;
  if (type == 'E') return problem_of(body, where);
  const bool known = std::ranges::find(named_types, type, &named_type::type) != named_types.end();
  if (at_ < expected_.size() && expected_[at_].is_rows && known) return expected_[at_].rows.missing();
  // A row that is too many says whose it is.
  if (type == 'D') {
    for (std::size_t i = std::min(at_, expected_.size()); i-- > 0;) {
      const auto value = only_column(body);
      row_check before = expected_[i].rows;
      if (expected_[i].is_rows && value && row_check::recognises(*value))
        return before.take(*value).value_or(problem{});
    }
  }
  std::string came(message_name(type));
  if (const std::string detail = detail_of(type, body); !detail.empty())
    came += " (" + one_line(detail) + ")";
  return {.what = known ? fault::wrong_answer : fault::out_of_protocol,
          .where = where,
          .code = {},
          .message = fmt::format("{} came where {} was to come", came, next())};
}

std::string reply_check::next() const {
  if (at_ == expected_.size()) return "nothing more";
  const message& of = expected_[at_];
  if (of.is_rows) return fmt::format("row {} of {}", of.rows.seen() + 1, of.rows.count());
  const std::string name(message_name(of.type));
  return of.detail.empty() ? name : name + " (" + of.detail + ")";
}

}  // namespace trunkline::storm
