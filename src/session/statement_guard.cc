#include "session/statement_guard.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/answer_messages.h"
#include "protocol/query_messages.h"
#include "session/message_text.h"

namespace trunkline::session {

using runtime::buffer;
using runtime::sending;

namespace {

bool are_usual(const sql::lexical_rules& rules) {
  return rules == sql::lexical_rules{};
}

}  // namespace

statement_guard::statement_guard(runtime::loop& where, guard_owner& owner,
                                 std::unique_ptr<runtime::byte_stream> server, guard_memory memory)
    : loop_(where),
      owner_(owner),
      server_(std::move(server)),
      memory_(memory),
      rules_(memory.by->guard),
      enough_(
          where,
          [](void* opaque) {
            auto* self = static_cast<statement_guard*>(opaque);
            self->owner_.given_enough(
                {.code = sqlstates::configuration_limit_exceeded,
                 .message = "terminating connection because it was given as much as access policy \"" +
                            self->memory_.by->says.name + "\" allows",
                 .hint = "The policy's limits say how many rows and bytes that is."});
          },
          this) {
  server_->set_handler(this);
  // What may change while the session runs is refused; with other rules at its start, all that they could
  // make of a text counts.
  if (!are_usual(memory_.rules))
    memory_.rules = {.standard_conforming_strings = false, .ascii_superset = false};
}

void statement_guard::close() {
  enough_.cancel();
  server_->close();
}

void statement_guard::reset() {
  enough_.cancel();
  server_->reset();
}

void statement_guard::warn(std::string_view sentence) {
  memory_.warned = true;
  protocol::append_notice(notice_, sentence);
  if (answer_left_ > 0 || !answer_.empty() || full_) return;
  for (buffer& part : loop_.buffers().copies(std::exchange(notice_, {})))
    handler_->on_received(std::move(part));
}

// ---- from the client ----

sending statement_guard::send(buffer data) {
  if (full_) return sending::done;
  chunk_editor out(data, loop_.buffers());
  while (step(out)) {
  }
  sending last = server_->unsent() > 0 ? sending::held : sending::done;
  out.finish([&](buffer each) { last = server_->send(std::move(each)); });
  return last;
}

bool statement_guard::looks_into(char type) const {
  return rules_.reads_statements() && (type == 'Q' || type == 'P' || type == 'F');
}

bool statement_guard::step(chunk_editor& out) {
  const byte_span rest = out.rest();
  if (passing_ > 0) {
    if (rest.empty()) return false;
    const auto here = std::min<std::size_t>(passing_, rest.size());
    passing_ -= static_cast<std::uint32_t>(here);
    dropping_ ? out.replace(here, {}) : out.keep(here);
    return true;
  }
  if (!gathered_.empty()) return step_gathered(out);
  if (rest.empty()) return false;
  if (rest.size() < header_bytes) return gather(out, header_bytes);
  const std::size_t size = std::size_t{1} + load_u32(rest.data() + 1);
  if (!looks_into(static_cast<char>(rest[0]))) {
    begin_passing(out, rest, true);
  } else if (size > rest.size()) {
    return gather(out, rest.size());
  } else {
    take(out, rest.first(size), size);
  }
  return true;
}

/// Moves what has come of a message aside. True: it has so many bytes now.
bool statement_guard::gather(chunk_editor& out, std::size_t wanted) {
  const std::size_t missing = wanted - std::min(wanted, gathered_.size());
  const byte_span more = out.rest().first(std::min(missing, out.rest().size()));
  gathered_.insert(gathered_.end(), more.begin(), more.end());
  out.replace(more.size(), {});
  return gathered_.size() >= wanted;
}

bool statement_guard::step_gathered(chunk_editor& out) {
  if (!gather(out, header_bytes)) return false;
  const std::size_t size = std::size_t{1} + load_u32(gathered_.data() + 1);
  if (!looks_into(static_cast<char>(gathered_[0]))) {
    begin_passing(out, gathered_, false);
  } else if (size > limits::guarded_message) {
    if (!gather(out, std::min(size, limits::guarded_message))) return false;
    take_large(out);
  } else {
    if (!gather(out, size)) return false;
    take(out, gathered_, 0);
  }
  gathered_.clear();
  if (gathered_.capacity() > limits::buffer_bytes_small) gathered_.shrink_to_fit();
  return true;
}

/// A message whose bytes go on as they come. `known`: its first bytes, in the chunk or gathered.
void statement_guard::begin_passing(chunk_editor& out, byte_span known, bool in_chunk) {
  const char type = static_cast<char>(known[0]);
  const std::uint32_t length = load_u32(known.data() + 1);
  dropping_ = false;
  if (type != 'd') (void)queue_.client_message(type, length);
  if (!in_chunk) out.insert(known);
  passing_ = static_cast<std::uint32_t>(std::size_t{1} + length - (in_chunk ? 0 : known.size()));
}

void statement_guard::take(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  if (const auto why = judge_message(message)) {
    refuse(out, message, *why);
    out.replace(in_chunk, {});
    return;
  }
  (void)queue_.client_message(static_cast<char>(message[0]), load_u32(message.data() + 1));
  in_chunk > 0 ? out.keep(in_chunk) : out.insert(message);
}

/// It is refused unread, and the rest of it dropped.
void statement_guard::take_large(chunk_editor& out) {
  const std::size_t left = std::size_t{1} + load_u32(gathered_.data() + 1) - gathered_.size();
  refuse(out, gathered_, statement_refusal::unreadable);
  dropping_ = true;
  passing_ = static_cast<std::uint32_t>(left);
}

std::optional<statement_refusal> statement_guard::judge_message(byte_span message) {
  const char type = static_cast<char>(message[0]);
  if (type == 'F') return statement_refusal::fastpath;
  byte_span body = message.subspan(header_bytes);
  if (type == 'P' && !take_text(body)) return std::nullopt;  // the server refuses it too
  const auto text = take_text(body);
  return text ? judge_text(*text) : std::nullopt;
}

std::optional<statement_refusal> statement_guard::judge_text(std::string_view text) {
  if (memory_.replication && is_replication_command(text)) return std::nullopt;
  if (text.size() > limits::sql_text_bytes && are_usual(memory_.rules))
    return judge(rules_, sql::guard_facts_of_long_text(text));
  return judge(rules_, owner_.effects().look(text, memory_.rules).guard);
}

void statement_guard::refuse(chunk_editor& out, byte_span message, statement_refusal why) {
  const std::string text = failing_text(*memory_.by);
  std::vector<std::byte> instead;
  if (static_cast<char>(message[0]) == 'P') {
    byte_span body = message.subspan(header_bytes);
    const auto name = take_text(body);
    protocol::append_parse(instead, name.value_or(""), text, {});
  } else {
    protocol::append_query(instead, text);
  }
  out.insert(instead);
  const auto request = queue_.client_message(static_cast<char>(instead[0]), load_u32(instead.data() + 1));
  refused_.push_back({request, why});
  owner_.statement_refused(why);
}

// ---- from the server ----

void statement_guard::on_received(buffer data) {
  if (full_) return;
  chunk_editor out(data, loop_.buffers());
  while (!out.rest().empty() && !full_)
    answer_step(out);
  if (full_) out.replace(out.rest().size(), {});
  out.finish([this](buffer each) { handler_->on_received(std::move(each)); });
}

void statement_guard::answer_step(chunk_editor& out) {
  const byte_span rest = out.rest();
  if (answer_left_ > 0) {
    const auto here = std::min<std::size_t>(answer_left_, rest.size());
    answer_left_ -= static_cast<std::uint32_t>(here);
    if (answer_type_ == 'E') error_.feed(rest.first(here));
    if (answer_hidden_)
      answer_.insert(answer_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(here));
    answer_hidden_ ? out.replace(here, {}) : out.keep(here);
    if (answer_left_ == 0) answer_over(out);
    return;
  }
  if (!answer_.empty() || rest.size() < header_bytes) {
    const auto here = std::min(header_bytes - answer_.size(), rest.size());
    answer_.insert(answer_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(here));
    out.replace(here, {});
    if (answer_.size() < header_bytes) return;
    const auto header = std::exchange(answer_, {});
    if (!begin_answer(static_cast<char>(header[0]), load_u32(header.data() + 1))) return;
    answer_hidden_ ? void(answer_ = header) : out.insert(header);
  } else {
    if (!begin_answer(static_cast<char>(rest[0]), load_u32(rest.data() + 1))) return;
    if (answer_hidden_) {
      answer_.assign(rest.begin(), rest.begin() + header_bytes);
      out.replace(header_bytes, {});
    } else {
      out.keep(header_bytes);
    }
  }
  if (answer_left_ == 0) answer_over(out);
}

/// False: it is one more than the client may have.
bool statement_guard::begin_answer(char type, std::uint32_t length) {
  if (!counts(type, length)) return false;
  answer_type_ = type;
  answer_left_ = length - static_cast<std::uint32_t>(limits::message_length_min);
  answer_hidden_ = type == 'E' && !refused_.empty() && queue_.current() != 0 &&
                   std::any_of(refused_.begin(), refused_.end(),
                               [&](const refusal& each) { return each.request == queue_.current(); });
  if (type == 'E') error_ = {};
  if (type != 'D' && type != 'd' && type != 'Z' && type != 'E') (void)queue_.server_message(type);
  return true;
}

bool statement_guard::counts(char type, std::uint32_t length) {
  if (type != 'D' && type != 'd') return true;
  memory_.rows += type == 'D' ? 1 : 0;
  memory_.bytes += std::uint64_t{1} + length;
  const bool fits = (rules_.max_rows == 0 || memory_.rows <= rules_.max_rows) &&
                    (rules_.max_bytes == 0 || memory_.bytes <= rules_.max_bytes);
  if (fits) return true;
  full_ = true;
  enough_.schedule();
  return false;
}

void statement_guard::answer_over(chunk_editor& out) {
  if (answer_type_ == 'E') {
    take_error(out);
  } else if (answer_type_ == 'Z') {
    (void)queue_.ready_for_query();
    // What the server has skipped it never answers.
    std::erase_if(refused_, [&](const refusal& each) {
      return queue_.current() == 0 ? queue_.at_rest() : each.request < queue_.current();
    });
  }
  if (!notice_.empty()) out.insert(std::exchange(notice_, {}));
}

void statement_guard::take_error(chunk_editor& out) {
  if (answer_hidden_) {
    const auto original = std::exchange(answer_, {});
    const auto of = std::find_if(refused_.begin(), refused_.end(),
                                 [&](const refusal& each) { return each.request == queue_.current(); });
    if (error_.fatal() || of == refused_.end()) {
      out.insert(original);
    } else {
      std::vector<std::byte> told;
      protocol::append_refusal(told, refusal_error(of->why, *memory_.by));
      out.insert(told);
      refused_.erase(of);
    }
  }
  (void)queue_.error_response({.fatal = error_.fatal(), .copy = error_.progress_of_copy()});
}

}  // namespace trunkline::session
