#include "session/farewell.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"

namespace trunkline::session {

farewell::farewell(runtime::loop& where, std::unique_ptr<runtime::byte_stream> stream, bool peer_finished)
    : loop_(&where),
      stream_(std::move(stream)),
      done_(where, nullptr, nullptr),
      timer_(
          where.timers(), [](void* self) { static_cast<farewell*>(self)->done_.schedule(); }, this),
      peer_finished_(peer_finished) {}

farewell::~farewell() {
  stream_->close();
  loop_->dispose(std::move(stream_));
}

void farewell::start(byte_span last_word, ending how, void (*on_done)(void*), void* context) {
  how_ = how;
  done_.set(on_done, context);
  stream_->set_handler(this);
  timer_.arm(loop_->now() + limits::farewell_timeout);
  while (!last_word.empty()) {
    runtime::buffer part = loop_->buffers().lend(runtime::buffer_size::small);
    const std::size_t count = std::min(last_word.size(), part.room().size());
    std::memcpy(part.room().data(), last_word.data(), count);
    part.commit(count);
    last_word = last_word.subspan(count);
    if (stream_->send(std::move(part)) == runtime::sending::broken) return done_.schedule();
  }
  leave();
}

void farewell::leave() {
  if (how_ == ending::orderly) {
    stream_->finish_sending();
    if (peer_finished_ && stream_->unsent() == 0) return done_.schedule();
    stream_->resume_receiving();
  } else if (stream_->unsent() == 0) {
    stream_->reset();
    done_.schedule();
  }
}

void farewell::on_drained() {
  if (how_ == ending::reset || peer_finished_) leave();
}

}  // namespace trunkline::session
