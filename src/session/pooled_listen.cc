// LISTEN and UNLISTEN of a session that has no server connection of its own: the pool's hub listens for it,
// and what is said comes in between two exchanges.
#include <utility>

#include "base/limits.h"
#include "protocol/answer_messages.h"
#include "protocol/message_writer.h"
#include "session/pooled_server.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

constexpr std::uint32_t only(sql::effect which) {
  return static_cast<std::uint32_t>(which) | static_cast<std::uint32_t>(sql::effect::inspect);
}

std::string_view tag_for_hub(const sql::effects& of) {
  return of.has(sql::effect::listen) ? "LISTEN" : "UNLISTEN";
}

void append_warning(std::vector<std::byte>& out, std::string_view message) {
  protocol::message_writer notice(out, 'N');
  for (const auto& [field, value] :
       {std::pair<char, std::string_view>{'S', "WARNING"}, {'V', "WARNING"}, {'C', "01000"}, {'M', message}})
    notice.u8(static_cast<std::uint8_t>(field)).text(value);
  notice.u8(0);
}

}  // namespace

/// Alone and outside a transaction; in the encoding that the hub hears in. What it cannot take the server
/// does, and the session stays on its connection.
bool pooled_server::is_for_hub(const sql::effects& of) const {
  if (terms_.mode != config::pooling_mode::transaction || of.statements != 1 || status_ != 'I') return false;
  const bool listens = of.bits == only(sql::effect::listen) && !of.listen_name.empty();
  const bool unlistens = of.bits == only(sql::effect::unlisten) && !of.unlisten_name.empty();
  if (listens && listening_ != nullptr && listening_->hears(of.listen_name)) return true;
  return (listens || unlistens) && traces_.pinned() == nullptr &&
         settings_.find("client_encoding") == nullptr;
}

void pooled_server::begin_listening() {
  if (listening_ != nullptr) return;
  listening_ = std::make_unique<listening>();
  listening_->box = std::make_shared<pool::listener_box>(loop(), static_cast<pool::channel_listener&>(*this));
}

/// False: the answer is on its way, and the message is to be looked at again. `refused`: where it is no.
bool pooled_server::ask_hub(const sql::effects& of, std::optional<error>& refused) {
  if (of.has(sql::effect::unlisten)) {
    unlisten(of.unlisten_name);
    return true;
  }
  begin_listening();
  if (listening_->hears(of.listen_name)) return true;
  if (listening_->awaited == of.listen_name && listening_->refused) {
    refused = std::exchange(listening_->refused, std::nullopt);
    listening_->awaited.clear();
    return true;
  }
  listening_->awaited = of.listen_name;
  listening_->refused.reset();
  doing_ = doing::ask_hub;
  start_.pool->listening().subscribe(of.listen_name, listening_->box, ++listening_->ticket);
  return false;
}

void pooled_server::unlisten(const std::string& channel) {
  if (listening_ == nullptr) return;
  const bool all = channel == pool::listen_hub::every_channel;
  std::erase_if(listening_->channels, [&](const std::string& each) { return all || each == channel; });
  listening_->forget_mail(all ? std::string_view() : channel);
  start_.pool->listening().unsubscribe(channel, listening_->box);
}

/// A CancelRequest, as a server answers it. What the hub says of it meanwhile counts no more.
void pooled_server::cancel_hub_wait() {
  start_.pool->listening().unsubscribe(listening_->awaited, listening_->box);
  listening_->box->tell([ticket = ++listening_->ticket](pool::channel_listener& of) {
    of.subscribed(ticket, error{.source = error_source::client,
                                .code = sqlstates::query_canceled,
                                .message = "canceling statement due to user request"});
  });
}

/// What runs in its place succeeds: its answer is to be that of the client's own statement.
void pooled_server::bound_for_hub(std::string_view portal, const sql::effects& of) {
  begin_listening();
  if (listening_->portals.size() < limits::listen_portals)
    listening_->portals.push_back({std::string(portal), tag_for_hub(of)});
}

/// Execute, where something may run in the place of a LISTEN.
bool pooled_server::take_execute(chunk_editor& out, byte_span message, std::size_t in_chunk) {
  const std::string_view body = as_text(message.subspan(header_bytes));
  const std::string_view tag = listening_->tag_of(body.substr(0, body.find('\0')));
  if (!ready_for_work()) return false;
  const bool answered = !tag.empty() && !queue_.skipping();
  pass(out, message, in_chunk);
  if (!answered) return true;
  std::vector<std::byte> answer;
  protocol::append_command_complete(answer, tag);
  edits_.swallow(queue_.newest());
  edits_.put_in(queue_.newest(), answer);
  return true;
}

/// The whole answer to a simple query, without a server.
void pooled_server::answer_for_hub(const sql::effects& of, const std::optional<error>& refused) {
  std::vector<std::byte> answer;
  if (refused) {
    protocol::append_refusal(answer, *refused);
  } else {
    protocol::append_command_complete(answer, tag_for_hub(of));
  }
  protocol::message_writer(answer, 'Z').u8(static_cast<std::uint8_t>(status_));
  edits_.put_in(queue_.newest(), answer);
}

void pooled_server::stop_listening() {
  if (listening_ == nullptr) return;
  listening_->box->shut();
  start_.pool->listening().unsubscribe(pool::listen_hub::every_channel, listening_->box);
}

// ---- from the hub ----

void pooled_server::subscribed(std::uint64_t ticket, const std::optional<error>& refused) {
  if (doing_ != doing::ask_hub || ticket != listening_->ticket) return;
  if (refused) {
    listening_->refused = refused;
  } else {
    listening_->channels.push_back(std::exchange(listening_->awaited, {}));
  }
  doing_ = doing::flow;
  process_pending();
  if (!closed_) look_at_rest();
}

void pooled_server::heard(byte_span message) {
  // It was under way when the client stopped listening.
  const byte_span body = message.subspan(header_bytes);
  if (!listening_->hears(std::string(pool::channel_of_notification(body)))) return;
  auto& mail = listening_->mail;
  mail.insert(mail.end(), message.begin(), message.end());
  if (mail.size() > limits::notifications_waiting) {
    return fail(cause::limit, {.source = error_source::client,
                               .code = sqlstates::configuration_limit_exceeded,
                               .message = "the client takes no notifications, and too many wait for it",
                               .hint = "Read what the connection says, or UNLISTEN."});
  }
  deliver_mail();
}

/// A notification of the session's own connection, where a LISTEN that the hub could not take has run: what
/// both of them hear the client is told once.
bool pooled_server::is_told_by_hub(byte_span notification) const {
  return listening_ != nullptr && listening_->hears(std::string(pool::channel_of_notification(notification)));
}

void pooled_server::take_notification(chunk_editor& out) {
  if (is_told_by_hub(answer_)) return;
  std::vector<std::byte> told;
  protocol::message_writer(told, 'A').bytes(answer_);
  out.insert(told);
}

void pooled_server::may_have_missed() {
  append_warning(
      listening_->mail,
      "notifications may have been missed: the connection that listens was lost, and has been made "
      "again");
  deliver_mail();
}

/// Between two exchanges, and outside a transaction, as a server does it.
void pooled_server::deliver_mail() {
  if (listening_ == nullptr || listening_->mail.empty() || closed_ || !receiving_) return;
  const bool between = doing_ != doing::errand && queue_.at_rest() && answer_left_ == 0 && answer_.empty() &&
                       status_ == 'I' && !owes_ready_ && edits_.empty();
  if (!between) return;
  const auto mail = std::exchange(listening_->mail, {});
  for (runtime::buffer& part : loop().buffers().copies(mail)) {
    if (!closed_) handler_->on_received(std::move(part));
  }
}

}  // namespace trunkline::session
