// What a pooled session's client sends, on its way to whatever connection it has.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/message_writer.h"
#include "protocol/query_messages.h"
#include "session/message_text.h"
#include "session/pooled_server.h"

namespace trunkline::session {

using runtime::buffer;
using telemetry::cause;

namespace {

/// These are looked into, or changed, and so must be whole.
bool is_looked_into(char type) {
  return type == 'Q' || type == 'P' || type == 'B' || type == 'D' || type == 'C';
}

/// `{type, length, name}` of a message whose name changes by so many bytes.
std::vector<std::byte> renamed_head(byte_span message, std::size_t before_name, std::size_t old_size,
                                    std::string_view name) {
  std::vector<std::byte> head(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(before_name));
  const auto length = load_u32(message.data() + 1) - old_size + name.size();
  store_u32(head.data() + 1, static_cast<std::uint32_t>(length));
  const auto text = as_bytes(name);
  head.insert(head.end(), text.begin(), text.end());
  head.push_back(std::byte{0});
  return head;
}

/// Behind the text of a Parse: its NUL, and no parameter types. What is done instead of a DEALLOCATE that is
/// the gateway's.
constexpr std::string_view nothing_to_do("DO 'BEGIN END'\0\0\0", 17);

std::vector<std::byte> deallocated(char status) {
  std::vector<std::byte> out;
  {
    protocol::message_writer(out, 'C').text("DEALLOCATE");
  }
  {
    protocol::message_writer(out, 'Z').u8(static_cast<std::uint8_t>(status));
  }
  return out;
}

/// An error that the server raises itself, with all that follows from it for the transaction.
std::string refusal_statement(const char* reason) {
  return "DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''0A000'', MESSAGE = ''the statement leaves something in "
         "its "
         "session that transaction pooling cannot carry (" +
         std::string(reason) + ")'', HINT = ''Use a route with pooling: session, or onUnsafe: pin.''; END'";
}

/// Quotes and backslashes are left out of the message: what they mean is a setting of the session's.
std::string failing_statement(const error& why) {
  std::string message = why.message;
  std::erase_if(message, [](char each) { return each == '\'' || each == '\\'; });
  return "DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''" + std::string(why.code.view()) + "'', MESSAGE = ''" +
         message + "''; END'";
}

error violation(const char* what) {
  return {.source = error_source::client, .code = sqlstates::protocol_violation, .message = what};
}

}  // namespace

void pooled_server::process(buffer& data) {
  chunk_editor out(data, loop().buffers());
  stalled_ = false;
  while (failure_ == nullptr && step(out)) {
  }
  out.finish([this](buffer each) { forward(std::move(each)); });
  if (!edits_.empty()) due_.schedule();
  if (finishing_) look_at_rest();
}

void pooled_server::process_pending() {
  while (failure_ == nullptr && doing_ == doing::flow && (stalled_ || !pending_.empty())) {
    buffer data;
    if (!pending_.empty()) {
      data = std::move(pending_.front());
      pending_.erase(pending_.begin());
    }
    process(data);
    if (!data.empty()) pending_.insert(pending_.begin(), std::move(data));
  }
  if (!closed_ && pending_.empty() && doing_ == doing::flow && !held_) handler_->on_drained();
}

void pooled_server::forward(buffer data) {
  if (link_ == nullptr) return;
  if (link_->stream->send(std::move(data)) == runtime::sending::held) held_ = true;
}

bool pooled_server::looks_into(char type) const {
  if (terms_.mode == config::pooling_mode::session) return false;
  return is_looked_into(type) || (type == 'E' && listening_ != nullptr && !listening_->portals.empty());
}

/// One message, or a part of one. False: there is no more, or it cannot go on now.
bool pooled_server::step(chunk_editor& out) {
  const byte_span rest = out.rest();
  if (passing_ > 0) {
    if (rest.empty()) return false;
    const auto here = std::min<std::size_t>(passing_, rest.size());
    passing_ -= static_cast<std::uint32_t>(here);
    dropping_ ? out.replace(here, {}) : out.keep(here);
    return true;
  }
  if (cancelling_ != cancelling::nothing) [[unlikely]]
    return take_cancelled(out);
  if (!gathered_.empty()) return step_gathered(out);
  if (rest.empty()) return false;
  if (rest.size() < header_bytes) return gather(out, header_bytes);
  const char type = static_cast<char>(rest[0]);
  const std::size_t size = std::size_t{1} + load_u32(rest.data() + 1);
  if (!looks_into(type)) return begin_passing(out, rest, true);
  if (size > rest.size()) return gather(out, rest.size());
  return take_whole(out, rest.first(size), size);
}

/// Moves what has come of a message aside. True: it has so many bytes now.
bool pooled_server::gather(chunk_editor& out, std::size_t wanted) {
  const std::size_t missing = wanted - std::min(wanted, gathered_.size());
  const byte_span more = out.rest().first(std::min(missing, out.rest().size()));
  gathered_.insert(gathered_.end(), more.begin(), more.end());
  out.replace(more.size(), {});
  return gathered_.size() >= wanted;
}

bool pooled_server::step_gathered(chunk_editor& out) {
  if (!gather(out, header_bytes)) return false;
  const char type = static_cast<char>(gathered_[0]);
  const std::size_t size = std::size_t{1} + load_u32(gathered_.data() + 1);
  const bool large = size > limits::pooled_message;
  bool done = false;
  if (!looks_into(type)) {
    done = begin_passing(out, gathered_, false);
  } else {
    if (!gather(out, large ? limits::pooled_message_head : size)) return false;
    done = large ? take_large(out) : take_whole(out, gathered_, 0);
  }
  stalled_ = !done;
  if (done) gathered_.clear();
  if (done && gathered_.capacity() > limits::buffer_bytes_small) gathered_.shrink_to_fit();
  return done;
}

/// A message whose bytes go on as they come. `known`: its first bytes, in the chunk or gathered.
bool pooled_server::begin_passing(chunk_editor& out, byte_span known, bool in_chunk) {
  const char type = static_cast<char>(known[0]);
  const std::uint32_t length = load_u32(known.data() + 1);
  dropping_ = type == 'X';
  finishing_ = finishing_ || dropping_;  // a server closes then
  if (!dropping_) {
    if (!ready_for_work()) return false;
    if (type == 'F') note_sequences();  // it calls a function by its number
    if (type != 'd') queue_.client_message(type, length);
    if (!in_chunk) out.insert(known);
  }
  passing_ = static_cast<std::uint32_t>(std::size_t{1} + length - (in_chunk ? 0 : known.size()));
  return true;
}

/// There is a connection, and something may begin on it.
bool pooled_server::ready_for_work() {
  if (link_ == nullptr) {
    auto made = shelf_.take(*this);
    if (made == nullptr) {
      doing_ = doing::wait;
      return false;
    }
    adopt(std::move(made));
  }
  if (!queue_.at_rest()) return true;
  if (link_->lease.on()->held.load(std::memory_order_relaxed)) {
    look_at_hold();
    return doing_ == doing::flow;
  }
  if (!settings_seen_) begin_sync();
  return doing_ == doing::flow;
}

void pooled_server::pass(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  queue_.client_message(static_cast<char>(message[0]), load_u32(message.data() + 1));
  in_chunk > 0 ? out.keep(in_chunk) : out.insert(message);
}

/// The same with another name in it, which stands behind so many bytes.
void pooled_server::pass_renamed(chunk_editor& out, byte_span message, std::size_t in_chunk, rename_at where,
                                 std::string_view name) {
  const auto head = renamed_head(message, where.before_name, where.name_size, name);
  const std::size_t old_head = where.before_name + where.name_size + 1;
  queue_.client_message(static_cast<char>(message[0]), load_u32(head.data() + 1));
  out.replace(in_chunk > 0 ? old_head : 0, head);
  if (in_chunk > 0) {
    out.keep(message.size() - old_head);
  } else {
    out.insert(message.subspan(old_head));
  }
}

bool pooled_server::take_whole(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  switch (static_cast<char>(message[0])) {
    case 'Q':
      return take_query(out, message, in_chunk);
    case 'P':
      return take_parse(out, message, in_chunk);
    case 'B':
      return take_bind(out, message, in_chunk);
    case 'E':
      return take_execute(out, message, in_chunk);
    default:
      return take_target(out, message, in_chunk);
  }
}

void pooled_server::note_kind(const sql::effects& of) {
  traces_.note_kind(of);
  if (traces_.wrote()) note_sequences();
}

/// A sequence may be at another value from here on, by this session.
void pooled_server::note_sequences() {
  link_->sequences_of = knows_others_sequences() ? pool::many_sessions : terms_.session;
}

bool pooled_server::knows_others_sequences() const {
  return link_->sequences_of != 0 && link_->sequences_of != terms_.session;
}

void pooled_server::note(const sql::effects& of, std::string_view text) {
  note_kind(of);
  if (of.clean() || is_for_hub(of)) [[likely]]
    return;
  note_at_server(of, text);
}

/// Of what runs at the session's own server, whoever might have done it.
void pooled_server::note_at_server(const sql::effects& of, std::string_view text) {
  if (of.has(sql::effect::unlisten) || of.has(sql::effect::discard_all))
    unlisten(of.unlisten_name.empty() ? pool::listen_hub::every_channel : of.unlisten_name);
  if (traces_.note(of, text)) withhold();
  watch_tags_ = watch_tags_ || of.has(sql::effect::discard_all) || of.has(sql::effect::deallocate);
}

/// It asks for what this session's own nextval() said last, and the connection knows what another's did. It
/// is the first in its pool to ask, or so are those that ask in these moments: afterwards connections come
/// without it (begin_sync).
bool pooled_server::must_forget_sequences(const sql::effects& of) {
  if (!of.has(sql::effect::sequence_read)) return false;
  start_.pool->note_sequence_reader();
  if (!knows_others_sequences()) return false;
  // Within a transaction that has written the value may well be its own.
  if (!queue_.at_rest() || status_ == 'E' || (status_ == 'T' && traces_.wrote())) return false;
  link_->sequences_of = 0;
  begin_errand(side_errand::purpose::sequences, "DISCARD SEQUENCES");
  return true;
}

/// DEALLOCATE of a statement that the client has prepared in the protocol, which is the gateway's to know.
bool pooled_server::deallocates_own(const sql::effects& of) const {
  return of.statements == 1 && !of.deallocate_name.empty() && statements_ != nullptr && status_ != 'E' &&
         statements_->find(of.deallocate_name) != nullptr;
}

bool pooled_server::refuses(const sql::effects& of) const {
  return terms_.on_unsafe == config::unsafe_policy::refuse && session_traces::unsafe_reason(of) != nullptr &&
         !is_for_hub(of);
}

bool pooled_server::take_query(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  const std::string_view body = as_text(message.subspan(header_bytes));
  const std::string_view text = body.substr(0, body.find('\0'));
  const sql::effects& of = owner_->effects().look(text, start_.rules);
  if (!of.clean()) [[unlikely]]
    return take_unclean_query(out, message, in_chunk, of, text);
  if (!ready_for_work()) return false;
  note(of, text);
  pass_query(out, message, in_chunk);
  return true;
}

bool pooled_server::take_unclean_query(chunk_editor& out, byte_span message, std::size_t in_chunk,
                                       const sql::effects& of, std::string_view text) {
  if (deallocates_own(of) && queue_.at_rest()) {
    statements_->remove(of.deallocate_name, queue_.newest());
    edits_.put_in(queue_.newest(), deallocated(status_));
    out.replace(in_chunk, {});
    return true;
  }
  if (is_for_hub(of) && queue_.at_rest()) return take_for_hub(out, in_chunk, of);
  if (!ready_for_work() || must_forget_sequences(of)) return false;
  if (refuses(of)) {
    std::vector<std::byte> instead;
    protocol::append_query(instead, refusal_statement(session_traces::unsafe_reason(of)));
    pass_query(out, instead, 0);
    out.replace(in_chunk, {});
    return true;
  }
  note_kind(of);
  note_at_server(of, text);
  if (const std::string renamed = execute_own(out, of, text); !renamed.empty()) {
    std::vector<std::byte> instead;
    protocol::append_query(instead, renamed);
    pass_query(out, instead, 0);
    out.replace(in_chunk, {});
    return true;
  }
  pass_query(out, message, in_chunk);
  return true;
}

bool pooled_server::take_for_hub(chunk_editor& out, std::size_t in_chunk, const sql::effects& of) {
  std::optional<error> refused;
  if (!ask_hub(of, refused)) return false;
  answer_for_hub(of, refused);
  out.replace(in_chunk, {});
  return true;
}

/// EXECUTE of a statement that the client has prepared in the protocol, under the server's name; empty: it is
/// none, or stands among others.
std::string pooled_server::execute_own(chunk_editor& out, const sql::effects& of, std::string_view text) {
  if (of.statements != 1 || of.execute_name.empty() || statements_ == nullptr || status_ == 'E') return {};
  const auto which = statements_->find(of.execute_name);
  const auto at = text.find(of.execute_name);
  if (which == nullptr || at == std::string_view::npos || !queue_.at_rest()) return {};
  if (!link_->prepared.use(which->id, 0)) prepare(out, *which, false);
  const bool quoted = at > 0 && text[at - 1] == '"';
  std::string renamed(text.substr(0, at - (quoted ? 1 : 0)));
  return renamed.append(which->name).append(text.substr(at + of.execute_name.size() + (quoted ? 1 : 0)));
}

/// A simple query ends the unnamed statement, as it does at a server.
void pooled_server::pass_query(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  end_unnamed();
  pass(out, message, in_chunk);
}

bool pooled_server::take_parse(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  byte_span content = message.subspan(header_bytes);
  const auto name = take_text(content);
  const std::string_view text = as_text(content).substr(0, as_text(content).find('\0'));
  const sql::effects& of = owner_->effects().look(text, start_.rules);
  if (!ready_for_work() || must_forget_sequences(of)) return false;
  if (!name || queue_.skipping()) {
    pass(out, message, in_chunk);
  } else if (refuses(of)) {
    refuse_parse(out, in_chunk, session_traces::unsafe_reason(of));
  } else if (deallocates_own(of)) {
    statements_->remove(of.deallocate_name, queue_.newest());
    if (name->empty()) {
      send_parse(out, "", as_bytes(nothing_to_do));
      begin_unnamed(nothing_to_do);
    } else {
      take_named_parse(out, *name, as_bytes(nothing_to_do));
    }
    out.replace(in_chunk, {});
  } else if (name->empty()) {
    note(of, text);
    unnamed_noted_ = true;
    pass(out, message, in_chunk);
    begin_unnamed(content.size() <= limits::unnamed_statement ? as_text(content) : std::string_view());
  } else {
    take_named_parse(out, *name, content);
    out.replace(in_chunk, {});
  }
  return true;
}

void pooled_server::take_named_parse(chunk_editor& out, std::string_view name, byte_span content) {
  if (statements_ == nullptr) statements_ = std::make_unique<client_statements>();
  if (const auto& before = statements_->find(name)) {
    // The server finds that there is one of that name already.
    if (!link_->prepared.has(before->id)) prepare(out, *before, false);
    send_parse(out, before->name, content);
    return;
  }
  auto which = terms_.statements->find_or_add(content);
  note_uses(*which);
  if (link_->prepared.use(which->id, start_.pool->epoch())) {
    const std::byte complete[] = {std::byte{'1'}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{4}};
    edits_.put_in(queue_.newest(), complete);
  } else {
    prepare(out, *which, true);
  }
  statements_->add(name, std::move(which), queue_.newest());
  if (!statements_->within_limits()) {
    fail(cause::limit,
         {.source = error_source::client,
          .code = sqlstates::configuration_limit_exceeded,
          .message = "too many prepared statements in one session",
          .hint = "Close those that are not used any more; docs/limits.md says how many there may be."});
  }
}

std::uint64_t pooled_server::send_parse(chunk_editor& out, std::string_view name, byte_span content) {
  std::vector<std::byte> made;
  {
    protocol::message_writer message(made, 'P');
    message.text(name).bytes(content);
  }
  out.insert(made);
  return queue_.client_message('P', load_u32(made.data() + 1));
}

void pooled_server::send_close(chunk_editor& out, std::string_view name) {
  std::vector<std::byte> made;
  protocol::append_close(made, protocol::describe_target::statement, name);
  out.insert(made);
  edits_.swallow(queue_.client_message('C', load_u32(made.data() + 1)));
}

/// Makes the connection know it.
void pooled_server::prepare(chunk_editor& out, const pool::statement& which, bool for_client) {
  if (link_->prepared.has(which.id)) send_close(out, which.name);  // it is from before a change of the schema
  const std::uint64_t request = send_parse(out, which.name, as_bytes(which.content));
  if (!for_client) edits_.swallow(request);
  preparing_.push_back({request, which.id});
  link_->prepared.add(which, start_.pool->epoch());
  if (const auto oldest = link_->prepared.evict(limits::prepared_per_link)) send_close(out, *oldest);
}

/// Its Parse was in an earlier transaction.
void pooled_server::note_unnamed() {
  if (std::exchange(unnamed_noted_, true)) return;
  const std::string_view text = std::string_view(unnamed_).substr(0, unnamed_.find('\0'));
  note(unnamed_.empty() ? sql::unknown_effects() : owner_->effects().look(text, start_.rules), text);
}

void pooled_server::note_uses(const pool::statement& which) {
  note(owner_->effects().look(which.text(), start_.rules), which.text());
}

/// The statement is not for this route: the batch fails in its place, with the server's own consequences for
/// the transaction.
void pooled_server::refuse_parse(chunk_editor& out, std::size_t in_chunk, const char* reason) {
  end_unnamed();
  const std::string content =
      refusal_statement(reason) + std::string(3, '\0');  // its end, and no parameter types
  edits_.swallow(send_parse(out, "", as_bytes(content)));
  std::vector<std::byte> rest;
  protocol::append_bind(rest, "", "", {});
  const std::size_t bind_size = rest.size();
  edits_.swallow(queue_.client_message('B', load_u32(rest.data() + 1)));
  protocol::append_execute(rest, "");
  queue_.client_message('E', load_u32(rest.data() + bind_size + 1));
  out.insert(rest);
  out.replace(in_chunk, {});
}

/// The client's Parse of it has just been passed on. Empty: it is too large to be kept, and keeps the
/// session on its connection instead.
void pooled_server::begin_unnamed(std::string_view content) {
  unnamed_ = content;
  unnamed_pins_ = content.empty();
  unnamed_request_ = queue_.newest();
  unnamed_version_ = shelf_.next_unnamed();
  link_->unnamed = {terms_.session, unnamed_version_};
}

/// The client has none any more.
void pooled_server::end_unnamed() {
  unnamed_.clear();
  unnamed_pins_ = false;
  unnamed_version_ = 0;
  link_->unnamed = {};
}

/// The connection may have another one: somebody else's, or this client's from before. Where the client has
/// none, none is to be found.
void pooled_server::restore_unnamed(chunk_editor& out) {
  const pool::unnamed_mark own{terms_.session, unnamed_version_};
  if (link_->unnamed == own) return;
  link_->unnamed = own;
  if (unnamed_.empty()) return send_close(out, "");
  edits_.swallow(send_parse(out, "", as_bytes(unnamed_)));
}

/// The requests from `failed` on, to the Sync, have not been done (0: to one that is still to come).
void pooled_server::take_back_unnamed(std::uint64_t failed, std::uint64_t sync) {
  const auto undone = [&](std::uint64_t request) {
    return request >= failed && (sync == 0 || request < sync);
  };
  if (undone(unnamed_request_)) return end_unnamed();
  // A Parse of the gateway's own may be among them: what the server has now is not known.
  if (sync == 0 || unnamed_request_ < sync) link_->unnamed = {};
}

/// A use of the client's statement of that name; what it is called at the server. Nothing: as the client
/// calls it.
const pool::statement* pooled_server::use_statement(chunk_editor& out, std::string_view name) {
  if (name.empty()) {
    note_unnamed();
    restore_unnamed(out);
    return nullptr;
  }
  if (statements_ == nullptr) return nullptr;
  const auto& which = statements_->find(name);
  if (which == nullptr) return nullptr;  // the server says so too
  note_uses(*which);
  if (!link_->prepared.use(which->id, 0)) prepare(out, *which, false);
  return which.get();
}

/// Of the client's statement of that name; null: there is none, or it is too large to be kept.
const sql::effects* pooled_server::effects_bound(std::string_view name) {
  std::string_view text = std::string_view(unnamed_).substr(0, unnamed_.find('\0'));
  if (!name.empty()) {
    if (statements_ == nullptr || statements_->find(name) == nullptr) return nullptr;
    text = statements_->find(name)->text();
  }
  return text.empty() ? nullptr : &owner_->effects().look(text, start_.rules);
}

/// What runs in the place of a LISTEN that the hub has taken, or has not: something that does nothing, or
/// fails.
const pool::statement* pooled_server::instead_of(chunk_editor& out, const std::optional<error>& refused) {
  std::string content(nothing_to_do);
  if (refused) content = failing_statement(*refused) + std::string(3, '\0');
  const auto which = terms_.statements->find_or_add(as_bytes(content));
  if (!link_->prepared.use(which->id, 0)) prepare(out, *which, false);
  listening_used_ = which;
  return which.get();
}

bool pooled_server::take_bind(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  byte_span body = message.subspan(header_bytes);
  const auto portal = take_text(body);
  const auto name = portal ? take_text(body) : std::nullopt;
  if (!ready_for_work()) return false;
  const bool looked_up = name && !queue_.skipping();
  const auto* effects = looked_up ? effects_bound(*name) : nullptr;
  const pool::statement* which = nullptr;
  if (looked_up && listening_ != nullptr) listening_->unbind(*portal);
  if (effects != nullptr && is_for_hub(*effects)) [[unlikely]] {
    std::optional<error> refused;
    if (!ask_hub(*effects, refused)) return false;
    which = instead_of(out, refused);
    if (!refused) bound_for_hub(*portal, *effects);
  } else if (looked_up) {
    which = use_statement(out, *name);
  }
  if (which == nullptr) {
    pass(out, message, in_chunk);
  } else {
    pass_renamed(out, message, in_chunk, {header_bytes + portal->size() + 1, name->size()}, which->name);
  }
  return true;
}

/// Describe and Close.
bool pooled_server::take_target(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  byte_span body = message.subspan(header_bytes);
  const bool of_statement = !body.empty() && static_cast<char>(body[0]) == 'S';
  body = body.subspan(body.empty() ? 0 : 1);
  const auto name = take_text(body);
  if (!ready_for_work()) return false;
  if (!of_statement || !name || queue_.skipping()) {
    pass(out, message, in_chunk);
  } else if (static_cast<char>(message[0]) == 'D') {
    const auto* which = use_statement(out, *name);
    if (which == nullptr) {
      pass(out, message, in_chunk);
    } else {
      pass_renamed(out, message, in_chunk, {header_bytes + 1, name->size()}, which->name);
    }
  } else if (name->empty()) {
    end_unnamed();
    pass(out, message, in_chunk);
  } else {
    // Others may use it under their own names: the connection keeps it.
    const std::byte complete[] = {std::byte{'3'}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{4}};
    edits_.put_in(queue_.newest(), complete);
    if (statements_ != nullptr) statements_->remove(*name, queue_.newest());
    out.replace(in_chunk, {});
  }
  return true;
}

/// Only its head is gathered, the rest goes on as it comes.
bool pooled_server::take_large(chunk_editor& out) {
  const byte_span head(gathered_);
  const char type = static_cast<char>(head[0]);
  const std::size_t left = std::size_t{1} + load_u32(head.data() + 1) - head.size();
  byte_span body = head.subspan(header_bytes);
  const auto first = type == 'Q' ? std::optional<std::string_view>("") : take_text(body);
  const auto second = type == 'B' && first ? take_text(body) : first;
  if (type == 'D' || type == 'C' || !first || !second) {
    fail(cause::protocol_client, violation("a name in a message is too long"));
    return false;
  }
  if (type == 'P' && !first->empty()) {
    fail(cause::limit, {.source = error_source::client,
                        .code = sqlstates::configuration_limit_exceeded,
                        .message = "a statement is too large to be prepared by name with transaction pooling",
                        .hint = "Use the unnamed statement, or a route with pooling: session."});
    return false;
  }
  if (!ready_for_work()) return false;
  const auto* which = type == 'B' && !queue_.skipping() ? use_statement(out, *second) : nullptr;
  if (which != nullptr) {
    pass_renamed(out, head, 0, {header_bytes + first->size() + 1, second->size()}, which->name);
  } else {
    pass(out, head, 0);
  }
  if (type != 'B') note(sql::unknown_effects(), {});
  if (type == 'P') begin_unnamed({});
  if (type == 'Q') end_unnamed();
  dropping_ = false;
  passing_ = static_cast<std::uint32_t>(left);
  return true;
}

}  // namespace trunkline::session
