#include "net/channel.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/limits.h"

namespace trunkline::net {
namespace {

/// Receiving pauses while this much waits to be read: one whole message of a login, and what came with it.
constexpr std::size_t unread_limit = 2 * limits::login_message_bytes;

}  // namespace

channel::~channel() {
  // The stream may be in the middle of a callback to this channel: it is closed now and destroyed later.
  if (stream_ != nullptr) {
    stream_->close();
    loop_->dispose(std::move(stream_));
  }
}

void channel::attach(std::unique_ptr<runtime::byte_stream> stream, bool connected) {
  stream_ = std::move(stream);
  stream_->set_handler(this);
  connected_ = connected;
  paused_ = false;
  end_.reset();
  if (connected) stream_->resume_receiving();
}

void channel::take_over(channel& from) {
  stream_ = std::move(from.stream_);
  if (stream_ != nullptr) stream_->set_handler(this);
  unread_ = from.take_unread();
  start_ = 0;
  received_ = from.received_;
  written_ = from.written_;
  end_ = from.end_;
  connected_ = from.connected_;
  paused_ = from.paused_;
}

std::unique_ptr<runtime::byte_stream> channel::release() {
  if (stream_ != nullptr) stream_->pause_receiving();
  return std::move(stream_);
}

bool channel::broken() const {
  return stream_ == nullptr || (end_ && end_->what != runtime::stream_end::kind::fin);
}

void channel::on_connected() {
  connected_ = true;
  stream_->resume_receiving();
  changed_->raise();
}

void channel::on_received(runtime::buffer data) {
  const auto bytes = data.bytes();
  received_ += bytes.size();
  unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  if (unread().size() >= unread_limit) {
    paused_ = true;
    stream_->pause_receiving();
  }
  changed_->raise();
}

void channel::on_end(runtime::stream_end end) {
  end_ = end;
  changed_->raise();
}

void channel::abort() {
  if (!end_) end_ = runtime::stream_end{.what = runtime::stream_end::kind::timed_out};
  changed_->raise();
}

void channel::consume(std::size_t count) {
  start_ += count;
  if (start_ == unread_.size()) {
    unread_.clear();
    start_ = 0;
  }
  if (paused_ && unread().size() < unread_limit / 2) {
    paused_ = false;
    if (stream_ != nullptr) stream_->resume_receiving();
  }
}

std::vector<std::byte> channel::take_unread() {
  unread_.erase(unread_.begin(), unread_.begin() + static_cast<std::ptrdiff_t>(start_));
  start_ = 0;
  return std::exchange(unread_, {});
}

std::vector<runtime::buffer> channel::take_unread_buffers() {
  std::vector<runtime::buffer> taken = loop_->buffers().copies(unread());
  unread_ = {};
  start_ = 0;
  return taken;
}

void channel::write(byte_span bytes) {
  written_ += bytes.size();
  for (runtime::buffer& part : loop_->buffers().copies(bytes)) {
    if (broken() || stream_->send(std::move(part)) == runtime::sending::broken) return;
  }
}

}  // namespace trunkline::net
