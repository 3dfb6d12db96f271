#include "pool/link_reset.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "protocol/frame.h"
#include "protocol/query_messages.h"
#include "protocol/session_start.h"

namespace trunkline::pool {

link_reset::link_reset(runtime::loop& where, std::unique_ptr<link> of, callback on_done, void* context)
    : loop_(where),
      link_(std::move(of)),
      late_(
          where.timers(), [](void* self) { static_cast<link_reset*>(self)->finish(false); }, this),
      done_(
          where,
          [](void* opaque) {
            auto* self = static_cast<link_reset*>(opaque);
            self->on_done_(self->context_, *self, self->clean_);
          },
          this),
      on_done_(on_done),
      context_(context) {
  late_.arm(where.now() + limits::link_reset);
  link_->stream->set_handler(this);
}

void link_reset::start(bool in_transaction, std::string_view statements) {
  std::vector<std::byte> out;
  if (in_transaction) protocol::append_query(out, "ROLLBACK");
  if (!statements.empty()) protocol::append_query(out, statements);
  owed_ = (in_transaction ? 1 : 0) + (statements.empty() ? 0 : 1);
  if (owed_ == 0) return finish(true);
  for (runtime::buffer& part : loop_.buffers().copies(out))
    link_->stream->send(std::move(part));
  link_->stream->resume_receiving();
}

void link_reset::on_received(runtime::buffer data) {
  if (over_) return;
  const auto bytes = data.bytes();
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  std::size_t done = 0;
  while (!over_) {
    const auto read = protocol::next_frame(byte_span(unread_).subspan(done), limits::login_message_bytes,
                                           error_source::server);
    if (std::holds_alternative<protocol::bad>(read)) return finish(false);
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) break;
    done += whole->size;
    take_message(whole->type, whole->body);
  }
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(done));
}

void link_reset::take_message(char type, byte_span body) {
  if (type == 'E') clean_ = false;
  // A transaction that is taken back takes back what was set in it, which the server had told.
  if (type == 'S') {
    const auto told = protocol::decode_parameter_status(body);
    if (told && !is_server_fact(told->name)) note_told(link_->settings, *link_, told->name, told->value);
  }
  if (type != 'Z') return;
  if (body.size() != 1 || (owed_ == 1 && static_cast<char>(body[0]) != 'I')) clean_ = false;
  if (--owed_ == 0) finish(clean_);
}

void link_reset::on_end(runtime::stream_end) {
  if (!over_) finish(false);
}

void link_reset::finish(bool clean) {
  over_ = true;
  clean_ = clean;
  late_.disarm();
  link_->stream->pause_receiving();
  done_.schedule();
}

}  // namespace trunkline::pool
