#include "session/console_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/answer_messages.h"
#include "protocol/query_messages.h"

namespace trunkline::session {

using protocol::transaction_status;

namespace {

constexpr sqlstate failed_transaction{"25P02"};
constexpr sqlstate no_such_statement{"26000"};
constexpr sqlstate no_such_portal{"34000"};
constexpr sqlstate already_there{"42P05"};
constexpr sqlstate syntax_error{"42601"};
constexpr sqlstate limit_exceeded{"54000"};

error refusal(sqlstate code, std::string message, std::string hint = {}) {
  return {.source = error_source::client,
          .reaction = error_reaction::reject,
          .code = code,
          .message = std::move(message),
          .hint = std::move(hint)};
}

struct wire_type {
  std::uint32_t oid;
  std::int16_t size;
};

wire_type wire_type_of(console_type type) {
  switch (type) {
    case console_type::int4:
      return {23, 4};
    case console_type::int8:
      return {20, 8};
    case console_type::float8:
      return {701, 8};
    case console_type::numeric:
      return {1700, -1};
    case console_type::text:
      break;
  }
  return {25, -1};
}

void describe_rows(const console_statement& statement, const std::vector<std::uint16_t>& formats,
                   protocol::byte_buffer& out) {
  std::vector<protocol::field_description> fields;
  for (std::size_t i = 0; i < statement.columns.size(); ++i) {
    const console_column& column = statement.columns[i];
    const wire_type type = wire_type_of(column.type);
    fields.push_back({.name = column.name,
                      .type_oid = type.oid,
                      .type_size = type.size,
                      .type_modifier = UINT32_MAX,
                      .format = i < formats.size() ? formats[i] : std::uint16_t{0}});
  }
  protocol::append_row_description(out, fields);
}

/// Bytes and number of the whole DataRow messages at the start, at most `rows` of them; 0: all.
std::pair<std::size_t, std::size_t> whole_rows(byte_span bytes, std::size_t rows) {
  std::size_t at = 0;
  std::size_t count = 0;
  while (at < bytes.size() && (rows == 0 || count < rows)) {
    at += 1 + load_u32(bytes.data() + at + 1);
    ++count;
  }
  return {at, count};
}

}  // namespace

void console_machine::take(char type, byte_span body, out_t& out) {
  if (type == 'X') {
    terminated_ = true;
    return;
  }
  if (skipping_ && type != 'S') return;
  switch (type) {
    case 'Q':
      return query(body, out);
    case 'P':
      return parse(body, out);
    case 'B':
      return bind(body, out);
    case 'D':
      return describe(body, out);
    case 'E':
      return execute(body, out);
    case 'C':
      return close(body, out);
    case 'S':
      return sync(out);
    case 'H':
      return;
    case 'F':
      refuse(refusal(sqlstates::feature_not_supported, "the console has no functions"), out);
      return ready(out);
    default:
      broken_ = refusal(sqlstates::protocol_violation,
                        fmt::format("message type {} has no meaning for the console",
                                    static_cast<int>(static_cast<unsigned char>(type))));
  }
}

// ---- simple queries ----

void console_machine::query(byte_span body, out_t& out) {
  const auto sql = protocol::decode_query(body);
  if (!sql) {
    broken_ = sql.error();
    return;
  }
  portals_.erase("");
  auto read = desk_.read(*sql);
  if (read.empty()) {
    protocol::append_empty_query_response(out);
    return ready(out);
  }
  statements_.assign(std::make_move_iterator(read.begin()), std::make_move_iterator(read.end()));
  run_statements(out);
}

void console_machine::run_statements(out_t& out) {
  while (!statements_.empty()) {
    const auto next = std::move(statements_.front());
    statements_.pop_front();
    if (!next) {
      refuse(next.error(), out);
      break;
    }
    if (!apply(*next, out)) break;
    if (next->needs_desk()) {
      extended_ = false;
      wanted_ = console_request{*next, {}};
      return;
    }
    complete(*next, out);
  }
  statements_.clear();
  ready(out);
}

void console_machine::give(result<console_answer> answer, out_t& out) {
  const console_statement statement = wanted_->statement;
  wanted_.reset();
  if (extended_) {
    if (!answer) return refuse_until_sync(answer.error(), out);
    portal& of = portals_[executing_];
    if (!answer->notice.empty()) protocol::append_notice(out, answer->notice);
    of.answer = std::move(*answer);
    return continue_portal(out);
  }
  if (!answer) {
    refuse(answer.error(), out);
    statements_.clear();
    return ready(out);
  }
  if (!answer->notice.empty()) protocol::append_notice(out, answer->notice);
  if (!statement.columns.empty()) describe_rows(statement, {}, out);
  out.insert(out.end(), answer->rows.begin(), answer->rows.end());
  complete(statement, out);
  run_statements(out);
}

// ---- the extended protocol ----

void console_machine::parse(byte_span body, out_t& out) {
  const auto message = protocol::decode_parse(body);
  if (!message) {
    broken_ = message.error();
    return;
  }
  if (!message->statement.empty() && prepared_.contains(message->statement)) {
    return refuse_until_sync(refusal(already_there, fmt::format("prepared statement \"{}\" already exists",
                                                                std::string(message->statement))),
                             out);
  }
  if (prepared_.size() >= limits::console_statements && !message->statement.empty()) {
    return refuse_until_sync(refusal(limit_exceeded, "too many prepared statements for the console"), out);
  }
  auto read = desk_.read(message->sql);
  if (!read.empty() && !read.front()) return refuse_until_sync(read.front().error(), out);
  if (read.size() > 1) {
    return refuse_until_sync(
        refusal(syntax_error, "cannot insert multiple commands into a prepared statement"), out);
  }
  prepared_[std::string(message->statement)] = read.empty() ? std::nullopt : std::optional(*read.front());
  protocol::append_parse_complete(out);
}

void console_machine::bind(byte_span body, out_t& out) {
  auto message = protocol::decode_bind(body);
  if (!message) {
    broken_ = message.error();
    return;
  }
  const auto found = prepared_.find(message->statement);
  if (found == prepared_.end()) {
    return refuse_until_sync(refusal(no_such_statement, "prepared statement does not exist"), out);
  }
  const std::size_t columns = found->second ? found->second->columns.size() : 0;
  auto& formats = message->result_formats;
  const bool fits = formats.size() <= 1 || formats.size() == columns;
  const bool known = std::all_of(formats.begin(), formats.end(), [](std::uint16_t each) { return each < 2; });
  if (message->parameters != 0 || !fits || !known) {
    return refuse_until_sync(
        refusal(sqlstates::protocol_violation,
                message->parameters != 0 ? "the console's statements have no parameters"
                                         : "the Bind message asks for formats that the result has not"),
        out);
  }
  if (portals_.size() >= limits::console_statements && !message->portal.empty()) {
    return refuse_until_sync(refusal(limit_exceeded, "too many portals for the console"), out);
  }
  portal made;
  made.statement = found->second;
  if (formats.size() == 1) formats.assign(columns, std::uint16_t{formats.front()});
  made.formats = std::move(formats);
  portals_[std::string(message->portal)] = std::move(made);
  protocol::append_bind_complete(out);
}

void console_machine::describe(byte_span body, out_t& out) {
  const auto message = protocol::decode_target(body);
  if (!message) {
    broken_ = message.error();
    return;
  }
  const std::optional<console_statement>* statement = nullptr;
  const std::vector<std::uint16_t>* formats = nullptr;
  static const std::vector<std::uint16_t> all_text;
  if (message->kind == 'S') {
    const auto found = prepared_.find(message->name);
    if (found == prepared_.end()) {
      return refuse_until_sync(refusal(no_such_statement, "prepared statement does not exist"), out);
    }
    statement = &found->second;
    formats = &all_text;
    protocol::append_parameter_description(out, {});
  } else {
    const auto found = portals_.find(message->name);
    if (found == portals_.end()) {
      return refuse_until_sync(refusal(no_such_portal, "portal does not exist"), out);
    }
    statement = &found->second.statement;
    formats = &found->second.formats;
  }
  if (!*statement || (*statement)->columns.empty()) return protocol::append_no_data(out);
  describe_rows(**statement, *formats, out);
}

void console_machine::execute(byte_span body, out_t& out) {
  const auto message = protocol::decode_execute(body);
  if (!message) {
    broken_ = message.error();
    return;
  }
  const auto found = portals_.find(message->portal);
  if (found == portals_.end()) {
    return refuse_until_sync(refusal(no_such_portal, "portal does not exist"), out);
  }
  portal& of = found->second;
  if (!of.statement) return protocol::append_empty_query_response(out);
  executing_ = found->first;
  row_limit_ = message->row_limit;
  if (of.answer || of.finished) return continue_portal(out);
  if (!apply(*of.statement, out)) {
    skipping_ = true;
    return;
  }
  if (!of.statement->needs_desk()) {
    of.finished = true;
    return complete(*of.statement, out);
  }
  const bool one_is_open = std::any_of(portals_.begin(), portals_.end(),
                                       [](const auto& each) { return each.second.answer.has_value(); });
  if (one_is_open) {
    return refuse_until_sync(refusal(limit_exceeded, "another portal of the console still has rows",
                                     "Read it to its end, or close it."),
                             out);
  }
  extended_ = true;
  wanted_ = console_request{*of.statement, of.formats};
}

void console_machine::continue_portal(out_t& out) {
  portal& of = portals_[executing_];
  if (of.answer) {
    const byte_span rest = byte_span(of.answer->rows).subspan(of.sent);
    const auto [bytes, count] = whole_rows(rest, row_limit_);
    out.insert(out.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(bytes));
    of.sent += bytes;
    if (row_limit_ != 0 && count == row_limit_) return protocol::append_portal_suspended(out);
    of.answer.reset();
    of.finished = true;
  }
  complete(*of.statement, out);
}

void console_machine::close(byte_span body, out_t& out) {
  const auto message = protocol::decode_target(body);
  if (!message) {
    broken_ = message.error();
    return;
  }
  if (message->kind == 'S') {
    if (const auto found = prepared_.find(message->name); found != prepared_.end()) prepared_.erase(found);
  } else {
    if (const auto found = portals_.find(message->name); found != portals_.end()) portals_.erase(found);
  }
  protocol::append_close_complete(out);
}

void console_machine::sync(out_t& out) {
  skipping_ = false;
  if (status_ == transaction_status::idle) portals_.clear();
  ready(out);
}

// ---- both ----

bool console_machine::apply(const console_statement& statement, out_t& out) {
  if (status_ == transaction_status::failed && statement.effect != console_effect::commit &&
      statement.effect != console_effect::rollback) {
    refuse(refusal(failed_transaction,
                   "current transaction is aborted, commands ignored until end of transaction block",
                   "ROLLBACK. The console has no transactions; it only lets drivers begin and end them."),
           out);
    return false;
  }
  if (statement.effect == console_effect::begin) status_ = transaction_status::in_transaction;
  return true;
}

void console_machine::complete(const console_statement& statement, out_t& out) {
  const bool failed = status_ == transaction_status::failed;
  if (statement.effect == console_effect::commit || statement.effect == console_effect::rollback) {
    status_ = transaction_status::idle;
  }
  const bool undone = failed && statement.effect == console_effect::commit;
  protocol::append_command_complete(out, undone ? "ROLLBACK" : statement.tag);
}

void console_machine::ready(out_t& out) {
  protocol::append_ready_for_query(out, status_);
}

void console_machine::refuse(const error& why, out_t& out) {
  if (status_ == transaction_status::in_transaction) status_ = transaction_status::failed;
  protocol::append_refusal(out, why);
}

void console_machine::refuse_until_sync(const error& why, out_t& out) {
  refuse(why, out);
  skipping_ = true;
}

}  // namespace trunkline::session
