// Cancel requests for a pooled session: what runs is cancelled at its server, and what still waits for one is
// answered here, as a server answers it.
#include <utility>

#include "protocol/answer_messages.h"
#include "protocol/message_writer.h"
#include "session/pooled_server.h"

namespace trunkline::session {

namespace {

/// A server looks at cancel requests while it does one of these.
bool is_work(char type) {
  return type == 'Q' || type == 'P' || type == 'B' || type == 'E' || type == 'D' || type == 'C' ||
         type == 'F';
}

/// What the server answers with a ReadyForQuery of its own, whatever comes behind it.
bool is_exchange_of_its_own(char type) {
  return type == 'Q' || type == 'F';
}

}  // namespace

std::shared_ptr<cancel_target> pooled_server::cancel_target_of(const pool::link& which) {
  auto target = std::make_shared<cancel_target>();
  target->place = which.place;
  target->server_pid = which.server_pid;
  target->server_key = which.server_key;
  return target;
}

std::shared_ptr<cancel_target> pooled_server::begin_cancel() {
  if (doing_ == doing::ask_hub) cancel_hub_wait();
  if (statement_waits()) {
    cancel_waiting();
    return nullptr;
  }
  if (link_ == nullptr || doing_ != doing::flow || link_at_rest()) return nullptr;
  ++cancels_;
  return cancel_target_of(*link_);
}

void pooled_server::cancelled() {
  if (--cancels_ == 0 && !closed_) look_at_rest();
}

/// The client has begun something, and no server knows of it yet.
bool pooled_server::statement_waits() const {
  const bool waits = doing_ == doing::wait || doing_ == doing::rest || doing_ == doing::errand;
  return waits && status_ == 'I' && !owes_ready_ && queue_.at_rest() && (stalled_ || !pending_.empty());
}

void pooled_server::cancel_waiting() {
  cancelling_ = cancelling::statement;
  if (doing_ == doing::errand) return;  // when that is over
  if (doing_ == doing::wait) {
    shelf_.give_up(*this);
    owner_->lease_waited();
  } else {
    link_->lease.on()->resting.fetch_sub(1, std::memory_order_relaxed);
  }
  doing_ = doing::flow;
  process_pending();
  if (!closed_) look_at_hold();
}

/// One message of what is cancelled, whose bytes are dropped as they come. False: there is no more.
bool pooled_server::take_cancelled(chunk_editor& out) {
  if (!gather(out, header_bytes)) return false;
  const char type = static_cast<char>(gathered_[0]);
  if (type == 'X') {
    cancelling_ = cancelling::nothing;
    return true;
  }
  passing_ = static_cast<std::uint32_t>(std::size_t{1} + load_u32(gathered_.data() + 1) - gathered_.size());
  dropping_ = true;
  gathered_ = {};
  stalled_ = false;
  answer_cancelled(type);
  return true;
}

/// An error for the first message, and nothing more until the ReadyForQuery that a Sync, or it, asks for.
void pooled_server::answer_cancelled(char type) {
  const bool first = cancelling_ == cancelling::statement;
  const bool ready = type == 'S' || (first && is_exchange_of_its_own(type));
  std::vector<std::byte> answer;
  if (first && is_work(type)) {
    protocol::append_refusal(answer, {.source = error_source::client,
                                      .code = sqlstates::query_canceled,
                                      .message = "canceling statement due to user request"});
  }
  if (ready) protocol::message_writer(answer, 'Z').u8(static_cast<std::uint8_t>(status_));
  cancelling_ = ready || (first && !is_work(type)) ? cancelling::nothing : cancelling::batch;
  if (!answer.empty()) edits_.put_in(queue_.newest(), answer);
}

}  // namespace trunkline::session
