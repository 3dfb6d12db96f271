#include "audit/exchange_walk.h"

#include <algorithm>
#include <utility>

#include "protocol/error_scan.h"
#include "protocol/message_reader.h"

namespace trunkline::audit {

using protocol::message_reader;

namespace {

/// Up to the first NUL, or all of it where that is not among what was kept.
std::string_view text_of(byte_span bytes) {
  const std::string_view all = as_text(bytes);
  return all.substr(0, std::min(all.find('\0'), all.size()));
}

/// The text is the last thing that is kept of the message, and not all of it.
bool is_cut(const tapped_message& message, std::string_view text, byte_span from) {
  return text.size() == from.size() && (message.cut || !message.complete);
}

}  // namespace

std::span<const statement_step> exchange_walk::run(statement_names::of_session& session,
                                                   exchange_progress& progress, const message_log& log,
                                                   std::uint64_t through, statement_cache& cache) {
  session_ = &session;
  progress_ = &progress;
  log_ = &log;
  cache_ = &cache;
  steps_.clear();
  last_parsed_.reset();
  ++number_;
  last_answered_ = last_request_ = 0;
  const auto messages = log.messages();
  for (const tapped_message& one : messages) {
    if (!one.from_client && one.type != 'E' && one.request <= through)
      last_answered_ = std::max(last_answered_, one.request);
  }
  std::size_t next = 0;  // the first message that may be an answer not yet looked at
  for (const tapped_message& one : messages) {
    if (!one.from_client || one.request > through) continue;
    for (; next < messages.size() && (messages[next].from_client || messages[next].request < one.request);
         ++next) {
      if (!messages[next].from_client) orphan(messages[next]);
    }
    begin(one);
    for (; next < messages.size() && (messages[next].from_client || messages[next].request == one.request);
         ++next) {
      if (!messages[next].from_client) answer(messages[next]);
    }
    conclude();
    last_request_ = one.request;
  }
  for (; next < messages.size(); ++next) {
    if (!messages[next].from_client && messages[next].request <= through) orphan(messages[next]);
  }
  return steps_;
}

void exchange_walk::release() {
  kept_.clear();
  kept_lists_.clear();
  kept_names_.clear();
  names_->release();
}

void exchange_walk::keep(const prepared_ref& statement) {
  if (statement && (kept_.empty() || kept_.back() != statement)) kept_.push_back(statement);
}

statement_step& exchange_walk::add(kind what, std::uint64_t request) {
  statement_step& step = steps_.emplace_back();
  step.what = what;
  step.request = request;
  now_.step = steps_.size() - 1;
  return step;
}

void exchange_walk::tell_of(statement_step& step, const prepared_statement& statement) {
  step.facts = &statement.list->front();
  step.name = statement.name;
  step.statement = &statement;
}

/// Behind an error the server reads on to the Sync. Where many exchanges are told as one there may be
/// several: a number that is missing here may have been one's, and an answer to a later request says that
/// there was.
bool exchange_walk::skipping(const tapped_message& message) {
  if (progress_->failed_at == 0 || message.request <= progress_->failed_at) return false;
  const bool hole = message.request > std::max(last_request_, progress_->failed_at) + 1;
  if (hole && last_answered_ >= message.request) progress_->failed_at = 0;
  return progress_->failed_at != 0;
}

void exchange_walk::begin(const tapped_message& message) {
  now_ = current{};
  now_.message = &message;
  const std::size_t before = steps_.size();
  const bool skipped = skipping(message);
  switch (message.type) {
    case 'Q':
      begin_query(message);
      break;
    case 'P':
      begin_parse(message);
      break;
    case 'B':
      begin_bind(message);
      break;
    case 'E':
      begin_execute(message);
      break;
    case 'C':
    case 'D':
      begin_close(message);
      break;
    case 'F':
      begin_function(message);
      break;
    default:
      break;
  }
  if (!skipped) return;
  now_.failed = true;
  for (std::size_t i = before; i < steps_.size(); ++i)
    steps_[i].skipped = true;
  if (now_.step != no_step) steps_[now_.step].skipped = true;
}

/// Like every simple query it ends the unnamed statement.
void exchange_walk::begin_query(const tapped_message& message) {
  const byte_span body = log_->body(message);
  const std::string_view sql = text_of(body);
  const bool cut = is_cut(message, sql, body);
  statement_list list = cache_->look(sql, cut);
  const std::size_t first = steps_.size();
  for (const statement_facts& facts : *list) {
    statement_step& step = add(kind::query, message.request);
    step.facts = &facts;
    if (cut) step.cut = &message;
  }
  now_.step = first;
  now_.steps_end = steps_.size();
  if (kept_lists_.empty() || kept_lists_.back() != list) kept_lists_.push_back(std::move(list));
  if (session_->unnamed) names_->erase(*session_, {});
}

void exchange_walk::begin_parse(const tapped_message& message) {
  message_reader reader(log_->body(message));
  auto statement = std::make_shared<prepared_statement>();
  statement->name = reader.text();
  const byte_span rest = reader.rest();
  const std::string_view sql = text_of(rest);
  const bool cut = is_cut(message, sql, rest);
  statement->list = cache_->look(sql, cut);
  message_reader types(rest.subspan(std::min(sql.size() + 1, rest.size())));
  const std::size_t count = std::min<std::size_t>(types.u16(), types.remaining() / 4);
  for (std::size_t i = 0; i < count; ++i)
    statement->types.push_back(types.u32());
  if (cut) statement->cut = {message.length, std::string(as_text(log_->hash(message)))};
  tell_of(add(kind::parse, message.request), *statement);
  statement->walk = number_;
  statement->step = now_.step;
  keep(statement);
  now_.statement = last_parsed_ = std::move(statement);
}

/// A Parse right before it becomes part of the same step.
void exchange_walk::begin_bind(const tapped_message& message) {
  message_reader reader(log_->body(message));
  now_.portal = reader.text();
  now_.name = reader.text();
  const prepared_ref* known = session_->find(now_.name);
  if (known != nullptr && (*known)->walk == number_ && steps_[(*known)->step].what == kind::parse) {
    now_.step = (*known)->step;
    steps_[now_.step].what = kind::bind;
    steps_[now_.step].request = message.request;
  } else {
    add(kind::bind, message.request);
  }
  statement_step& step = steps_[now_.step];
  step.name = now_.name;
  step.portal = now_.portal;
  step.parameters = &message;
  step.unknown = known == nullptr;
  if (known == nullptr) return;
  tell_of(step, **known);
  now_.statement = *known;
}

void exchange_walk::begin_execute(const tapped_message& message) {
  message_reader reader(log_->body(message));
  const std::string_view name = reader.text();
  portal* const which = session_->find_portal(name);
  if (which != nullptr && which->walk == number_ && steps_[which->step].what == kind::bind) {
    now_.step = which->step;
    steps_[now_.step].what = kind::execute;
    steps_[now_.step].request = message.request;
    return;
  }
  statement_step& step = add(kind::execute, message.request);
  step.portal = name;
  step.unknown = which == nullptr || which->statement == nullptr;
  if (!step.unknown) {
    tell_of(step, *which->statement);
    keep(which->statement);
  } else if (which != nullptr) {
    step.name = kept_names_.emplace_back(which->unknown);
  }
}

/// Close and Describe name a statement or a portal.
void exchange_walk::begin_close(const tapped_message& message) {
  message_reader reader(log_->body(message));
  now_.closes_statement = reader.u8() == 'S';
  now_.name = reader.text();
  if (message.type == 'C' || !now_.closes_statement) return;
  const prepared_ref* known = session_->find(now_.name);
  if (known != nullptr) now_.statement = *known;
}

void exchange_walk::begin_function(const tapped_message& message) {
  statement_step& step = add(kind::function, message.request);
  step.parameters = &message;
}

void exchange_walk::answer(const tapped_message& message) {
  switch (message.type) {
    case 'C':
      complete(text_of(log_->body(message)));
      break;
    case 'E':
      fail(message);
      break;
    case 's':
      if (statement_step* step = answered()) step->suspended = true;
      break;
    case 'I':
      if (statement_step* step = answered()) step->empty = true;
      break;
    case 't':
      describe(message, now_.statement.get());
      break;
    default:
      break;
  }
}

/// What an answer belongs to, where it tells of a statement. A Query has one for each of its statements; more
/// than the grammar told apart get steps without a text.
statement_step* exchange_walk::answered() {
  if (now_.step == no_step) return nullptr;
  if (now_.steps_end != no_step && now_.step >= now_.steps_end) {
    add(kind::query, now_.message->request);
    now_.steps_end = steps_.size();
  }
  return &steps_[now_.step];
}

void exchange_walk::complete(std::string_view tag) {
  statement_step* const step = answered();
  if (step == nullptr) return;
  step->tag = tag;
  if (now_.steps_end != no_step) ++now_.step;
}

void exchange_walk::fail(const tapped_message& message) {
  now_.failed = true;
  protocol::error_scan scan;
  scan.feed(log_->body(message));
  const bool is_query = now_.steps_end != no_step;
  const bool is_extended = !is_query && now_.message->type != 'F';
  if (is_extended && progress_->failed_at == 0) progress_->failed_at = message.request;
  statement_step* const step = answered();
  if (step == nullptr) return;
  step->failed = true;
  step->code = scan.code();
  for (std::size_t i = now_.step + 1; is_query && i < now_.steps_end; ++i)
    steps_[i].skipped = true;
}

/// The types that the server chose, where Parse left them open.
void exchange_walk::describe(const tapped_message& message, prepared_statement* statement) const {
  if (statement == nullptr) return;
  message_reader reader(log_->body(message));
  const std::size_t count = std::min<std::size_t>(reader.u16(), reader.remaining() / 4);
  statement->types.clear();
  for (std::size_t i = 0; i < count; ++i)
    statement->types.push_back(reader.u32());
}

void exchange_walk::conclude() {
  if (now_.failed) return;
  switch (now_.message->type) {
    case 'P':
      names_->put(*session_, now_.statement);
      break;
    case 'B':
      conclude_bind();
      break;
    case 'C':
      if (now_.closes_statement) {
        names_->erase(*session_, now_.name);
      } else {
        if (const portal* which = session_->find_portal(now_.name)) keep(which->statement);
        session_->close_portal(now_.name);
      }
      break;
    default:
      break;
  }
}

void exchange_walk::conclude_bind() {
  portal& made = session_->make_portal(now_.portal);
  made.walk = number_;
  made.step = now_.step;
  if (!now_.statement) made.unknown = now_.name;
  if (made.statement == now_.statement) return;
  keep(made.statement);
  made.statement = std::move(now_.statement);
}

/// The answer to a request that is not among the messages: a Sync, a Describe, one told in an earlier part,
/// or lost.
void exchange_walk::orphan(const tapped_message& message) {
  if (message.type == 'E') {
    if (progress_->failed_at == 0) progress_->failed_at = message.request;
    if (progress_->parts == 0) return;
  }
  if (message.type == 't') return describe(message, last_parsed_.get());
  if (message.type != 'C' && message.type != 's' && message.type != 'I' && message.type != 'E') return;
  statement_step& step = add(kind::answer, message.request);
  step.suspended = message.type == 's';
  step.empty = message.type == 'I';
  if (message.type == 'C') step.tag = text_of(log_->body(message));
  if (message.type != 'E') return;
  protocol::error_scan scan;
  scan.feed(log_->body(message));
  step.failed = true;
  step.code = scan.code();
}

}  // namespace trunkline::audit
