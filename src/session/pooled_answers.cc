// What the servers of a pooled session say, on its way to the client.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/message_writer.h"
#include "protocol/session_start.h"
#include "session/pooled_server.h"

namespace trunkline::session {

using protocol::request_kind;
using runtime::buffer;
using runtime::stream_end;

namespace {

/// ParseComplete, BindComplete, CloseComplete and CommandComplete: what may be left out.
bool ends_a_request(char type) {
  return type == '1' || type == '2' || type == '3' || type == 'C';
}

/// An error in it is all that the server says of it; the batch goes on with the next message.
bool ends_by_itself(request_kind kind) {
  return kind == request_kind::query || kind == request_kind::function_call || kind == request_kind::sync;
}

}  // namespace

void pooled_server::on_received(buffer data) {
  if (doing_ == doing::errand) {
    if (errand_->take(data.bytes())) errand_over();
    return;
  }
  chunk_editor out(data, loop().buffers());
  if (!edits_.empty()) put_in_due(out);
  while (!out.rest().empty())
    answer_step(out);
  out.finish([this](buffer each) {
    if (!closed_) handler_->on_received(std::move(each));
  });
  if (!closed_) look_at_rest();
}

void pooled_server::on_held() {
  held_ = true;
  handler_->on_held();
}

void pooled_server::on_drained() {
  held_ = false;
  if (pending_.empty() && doing_ == doing::flow) handler_->on_drained();
}

void pooled_server::on_end(stream_end end) {
  const bool nothing_lost =
      doing_ == doing::errand && !owes_ready_ && errand_->what() != side_errand::purpose::inspection;
  start_.pool->source()->of->suspect(link_->lease.on()->id);
  if (doing_ == doing::rest) link_->lease.on()->resting.fetch_sub(1, std::memory_order_relaxed);
  if (nothing_lost && carries()) {
    // What was asked was the gateway's own question: the client's work goes to another server.
    errand_.reset();
    doing_ = doing::flow;
    shelf_.discard(std::move(link_));
    return process_pending();
  }
  handler_->on_end(end);
}

void pooled_server::answer_step(chunk_editor& out) {
  const byte_span rest = out.rest();
  if (answer_left_ > 0) {
    const auto here = std::min<std::size_t>(answer_left_, rest.size());
    answer_left_ -= static_cast<std::uint32_t>(here);
    if (answer_kept_)
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
    begin_answer(static_cast<char>(header[0]), load_u32(header.data() + 1));
    if (!answer_hidden_) out.insert(header);
  } else {
    begin_answer(static_cast<char>(rest[0]), load_u32(rest.data() + 1));
    answer_hidden_ ? out.replace(header_bytes, {}) : out.keep(header_bytes);
  }
  if (answer_left_ == 0) answer_over(out);
}

void pooled_server::begin_answer(char type, std::uint32_t length) {
  answer_type_ = type;
  answer_left_ = length - static_cast<std::uint32_t>(limits::message_length_min);
  answer_hidden_ = (ends_a_request(type) && edits_.swallows(queue_.current())) ||
                   (withholding_ && (type == 'S' || type == 'Z'));
  answer_kept_ = type == 'Z' || type == 'S' || type == 'E' || (type == 'C' && watch_tags_);
  if (type == 'A' && listening_ != nullptr) [[unlikely]]
    answer_kept_ = answer_hidden_ = true;
  if (answer_kept_ && answer_left_ > limits::pooled_message) answer_kept_ = answer_hidden_ = false;
  if (type != 'D' && type != 'd' && type != 'Z' && type != 'E') (void)queue_.server_message(type);
}

void pooled_server::answer_over(chunk_editor& out) {
  if (answer_type_ == 'D' || answer_type_ == 'd') return;
  if (answer_type_ == 'Z') {
    take_ready(out);
  } else if (answer_type_ == 'E') {
    take_error();
  } else if (answer_type_ == 'S') {
    take_parameter();
  } else if (answer_type_ == '1') {
    std::erase_if(preparing_, [&](const preparing& each) {
      return queue_.current() == 0 || each.request < queue_.current();
    });
  } else if (answer_type_ == 'C' && answer_kept_) {
    take_tag();
  } else if (answer_type_ == 'A' && answer_kept_) {
    take_notification(out);
  }
  answer_.clear();
  if (!edits_.empty()) put_in_due(out);
}

void pooled_server::put_in_due(chunk_editor& out) {
  if (const auto due = edits_.take_due(queue_.current()); !due.empty()) out.insert(due);
}

void pooled_server::take_error() {
  error_ = {};
  error_.feed(answer_);
  const std::uint64_t failed = queue_.current();
  const request_kind kind = queue_.current_kind();
  (void)queue_.error_response({.fatal = error_.fatal(), .copy = error_.progress_of_copy()});
  if (error_.fatal()) link_->unfit = true;
  // "cached plan must not change result type": somebody has changed the schema past us.
  if (error_.code() == sqlstates::feature_not_supported) start_.pool->schema_changed();
  if (failed == 0 || ends_by_itself(kind)) return;
  const std::uint64_t sync = queue_.current();
  edits_.fail(failed, sync);
  if (statements_ != nullptr) statements_->take_back(failed, sync);
  take_back_unnamed(failed, sync);
  std::erase_if(preparing_, [&](const preparing& each) {
    const bool skipped = each.request >= failed && (sync == 0 || each.request < sync);
    if (skipped) link_->prepared.remove(each.id);
    return skipped;
  });
}

void pooled_server::take_parameter() {
  const auto status = protocol::decode_parameter_status(answer_);
  if (status && withholding_) withheld_.set(status->name, status->value);
  if (!status || pool::is_server_fact(status->name)) return;
  start_.rules.learn(pool::folded(status->name), status->value);
  for (pool::setting_map* each : {&settings_, &link_->settings})
    pool::note_told(*each, *link_, status->name, status->value);
}

void pooled_server::take_ready(chunk_editor& out) {
  status_ = answer_.empty() ? '?' : static_cast<char>(answer_[0]);
  (void)queue_.ready_for_query();
  if (statements_ != nullptr && queue_.at_rest()) statements_->settle();
  if (!withholding_) return;
  const bool now = status_ == 'I' || (status_ == 'T' && restores_now_);
  if (now && queue_.at_rest() && traces_.must_inspect() && !unnamed_pins_) {
    owes_ready_ = true;
  } else if (answer_hidden_) {
    auto told = take_withheld();
    protocol::message_writer(told, 'Z').u8(static_cast<std::uint8_t>(status_));
    out.insert(told);
  }
}

void pooled_server::take_tag() {
  const std::string_view tag = as_text(answer_).substr(0, as_text(answer_).find('\0'));
  if (terms_.mode == config::pooling_mode::session) {
    if (tag != "RESET" && tag != "SET" && tag != "DISCARD ALL") return;
    traces_.note_set_back(start_.settings);
    return withhold();
  }
  if (tag != "DISCARD ALL" && tag != "DEALLOCATE ALL") return;
  link_->prepared.clear();
  if (statements_ != nullptr) statements_->clear();
  if (tag == "DEALLOCATE ALL") return;
  link_->settings.clear();
  settings_ = start_.settings;
  settings_seen_ = false;
}

void pooled_server::withhold() {
  if (!start_.settings.empty()) withholding_ = restores_now_ = true;
}

std::vector<std::byte> pooled_server::take_withheld() {
  std::vector<std::byte> out;
  for (const auto& [name, value] : withheld_.entries())
    protocol::append_parameter_status(out, name, value);
  withheld_ = {};
  return out;
}

/// The settings are what they are to be.
void pooled_server::tell_ready() {
  owes_ready_ = false;
  withholding_ = status_ != 'I';  // the transaction may be taken back
  auto out = take_withheld();
  protocol::message_writer(out, 'Z').u8(static_cast<std::uint8_t>(status_));
  for (buffer& part : loop().buffers().copies(out)) {
    if (!closed_) handler_->on_received(std::move(part));
  }
}

/// What the gateway answers itself, where the server owes nothing before it.
void pooled_server::deliver_due() {
  const auto due = edits_.take_due(queue_.current());
  for (buffer& part : loop().buffers().copies(due)) {
    if (!closed_) handler_->on_received(std::move(part));
  }
  deliver_mail();
}

void pooled_server::look_at_rest() {
  if (finishing_ && nothing_will_come()) return fin_.schedule();
  if (doing_ != doing::flow || !link_at_rest_or_none()) return;
  if (link_ == nullptr || (status_ != 'I' && !owes_ready_)) return;
  status_ == 'I' ? transaction_over() : restore_in_transaction();
  if (link_ != nullptr && link_->lease.on()->held.load(std::memory_order_relaxed)) look_at_hold();
  if (!closed_) deliver_mail();
}

/// The client has said its last word, and there is no answer to wait for: its last message is half a one, or
/// the server waits for more.
bool pooled_server::nothing_will_come() const {
  if (doing_ == doing::wait || doing_ == doing::ask_hub || !pending_.empty()) return false;
  return link_at_rest_or_none() || passing_ > 0 || !gathered_.empty() || queue_.batch_open() ||
         queue_.waits_for_copy_data();
}

/// What a RESET within it has set back at the server goes back to the session's own start.
void pooled_server::restore_in_transaction() {
  if (std::exchange(restores_now_, false)) return begin_inspection();
  if (!settings_seen_) begin_sync();
  if (doing_ == doing::flow) tell_ready();
}

void pooled_server::transaction_over() {
  restores_now_ = false;
  traces_.transaction_over();
  unnamed_noted_ = false;
  if (listening_ != nullptr) listening_->portals.clear();
  if (unnamed_pins_) return note_pin();  // what the gateway would ask ends it
  if (traces_.must_inspect()) {
    watch_tags_ = watches_always();
    return begin_inspection();
  }
  if (owes_ready_) {
    if (!settings_seen_) begin_sync();
    if (doing_ == doing::errand) return;
    tell_ready();
    if (closed_) return;
  }
  note_pin();
  if (cancels_ == 0 && carries()) release();
}

void pooled_server::note_pin() {
  const char* const now = terms_.mode == config::pooling_mode::transaction ? pinned() : nullptr;
  if (now == told_pin_) return;
  if (told_pin_ == nullptr) pinned_since_ = loop().now();
  owner_->pin_changed(told_pin_, now);
  told_pin_ = now;
}

}  // namespace trunkline::session
