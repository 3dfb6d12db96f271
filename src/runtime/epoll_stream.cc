#include "runtime/epoll_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/limits.h"
#include "runtime/unique_fd.h"

namespace trunkline::runtime {
namespace {

/// Reads of one socket in one turn before the others get theirs.
constexpr int reads_per_turn = 4;

stream_end end_of(int code) {
  switch (code) {
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN:
      return {stream_end::kind::reset, code};
    case ETIMEDOUT:
      return {stream_end::kind::timed_out, code};
    default:
      return {stream_end::kind::failed, code};
  }
}

/// What is unread stays with the kernel, which tells the next loop of it.
class parked_socket final : public parked_stream {
 public:
  explicit parked_socket(unique_fd socket) : socket_(std::move(socket)) {}
  std::unique_ptr<byte_stream> unpark(loop& where) override { return where.adopt(socket_.release()); }

 private:
  unique_fd socket_;
};

int pending_error(int fd) {
  int code = 0;
  socklen_t length = sizeof code;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) != 0) return errno;
  return code;
}

}  // namespace

void epoll_stream::on_events(std::uint32_t events) {
  if (connecting_) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) finish_connecting();
    if (connecting_ || broken_ || fd_ < 0) return;
  }
  if ((events & EPOLLOUT) != 0 && !unsent_.empty()) flush();
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) finned_ = true;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
    readable_ = true;
    if (receiving_ && !ended_) {
      receive();
    } else if ((events & EPOLLERR) != 0 && fd_ >= 0 && !broken_) {
      // Paused, or after a FIN, a reset is still heard: the peer of a stalled transfer may be gone.
      if (const int code = pending_error(fd_); code != 0) end(end_of(code));
    }
  }
}

void epoll_stream::finish_connecting() {
  const int code = pending_error(fd_);
  if (code != 0) return end(end_of(code));
  connecting_ = false;
  handler_->on_connected();
}

void epoll_stream::resume_receiving() {
  if (receiving_ || fd_ < 0) return;
  receiving_ = true;
  if (readable_) queue();
}

void epoll_stream::queue() {
  if (queued_) return;
  queued_ = true;
  loop_->continue_later(this);
}

void epoll_stream::go_on() {
  queued_ = false;
  if (fd_ < 0) return;
  if (failure_ != 0) return end(end_of(std::exchange(failure_, 0)));
  if (receiving_) receive();
}

void epoll_stream::receive() {
  for (int reads = 0; readable_ && receiving_ && !ended_; ++reads) {
    if (reads == reads_per_turn) return queue();
    buffer data = loop_->buffers().lend(bulk_ ? buffer_size::large : buffer_size::small);
    const auto room = data.room();
    const ssize_t count = ::recv(fd_, room.data(), room.size(), 0);
    if (count > 0) {
      const auto received = static_cast<std::size_t>(count);
      if (received < room.size()) {
        if (!finned_) readable_ = false;
        bulk_ = received >= limits::buffer_bytes_small;
      } else {
        bulk_ = true;
      }
      data.commit(received);
      handler_->on_received(std::move(data));
    } else if (count == 0) {
      return end({stream_end::kind::fin, 0});
    } else if (errno == EAGAIN) {
      readable_ = false;
    } else if (errno != EINTR) {
      return end(end_of(errno));
    }
  }
}

sending epoll_stream::send(buffer data) {
  if (broken_ || fd_ < 0) return sending::broken;
  if (gathered_) settle_gathered();  // in order
  if (!unsent_.empty() || connecting_) {
    keep(std::move(data));
    return sending::held;
  }
  if (broken_) return sending::broken;
  if (data.capacity() > limits::buffer_bytes_small || !loop_->batch_.has_room())
    return send_now(std::move(data));
  gathered_ = true;
  loop_->batch_.add(*this, std::move(data));
  return sending::done;
}

sending epoll_stream::send_now(buffer data) {
  const auto bytes = data.bytes();
  const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count == static_cast<ssize_t>(bytes.size())) return sending::done;
  if (count < 0 && errno != EAGAIN && errno != EINTR) {
    fail_later(errno);
    return sending::broken;
  }
  if (count > 0) data.consume(static_cast<std::size_t>(count));
  keep(std::move(data));
  return sending::held;
}

/// What waits in the batch goes out before something else happens to the socket; what went out is counted.
void epoll_stream::settle_gathered() {
  gathered_ = false;
  auto [data, outcome] = loop_->batch_.take(*this);
  if (outcome == send_batch::not_sent) {
    send_now(std::move(data));
  } else if (outcome < 0 && outcome != -EAGAIN && outcome != -EINTR) {
    fail_later(-outcome);
  } else if (outcome != static_cast<int>(data.size())) {
    data.consume(static_cast<std::size_t>(std::max(outcome, 0)));
    keep(std::move(data));
  }
}

void epoll_stream::on_flushed() {
  settle_gathered();
  if (!unsent_.empty()) handler_->on_held();
}

void epoll_stream::keep(buffer rest) {
  if (unsent_.empty()) {
    unsent_ = std::move(rest);
    return;
  }
  if (further_ == nullptr) further_ = std::make_unique<std::deque<buffer>>();
  further_->push_back(std::move(rest));
}

std::size_t epoll_stream::unsent() {
  if (gathered_) settle_gathered();
  std::size_t total = unsent_.size();
  if (further_ != nullptr) {
    for (const buffer& each : *further_)
      total += each.size();
  }
  return total;
}

void epoll_stream::flush() {
  while (!unsent_.empty()) {
    const auto bytes = unsent_.bytes();
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      return end(end_of(errno));
    }
    unsent_.consume(static_cast<std::size_t>(count));
    if (!unsent_.empty()) return;  // the socket is full: EPOLLOUT comes again
    unsent_ = buffer();
    if (further_ != nullptr) {
      unsent_ = std::move(further_->front());
      further_->pop_front();
      if (further_->empty()) further_.reset();
    }
  }
  if (finish_) ::shutdown(fd_, SHUT_WR);
  handler_->on_drained();
}

void epoll_stream::finish_sending() {
  if (gathered_) settle_gathered();
  finish_ = true;
  if (unsent_.empty() && fd_ >= 0 && !connecting_) ::shutdown(fd_, SHUT_WR);
}

void epoll_stream::end(stream_end why) {
  if (ended_ && (broken_ || why.what == stream_end::kind::fin)) return;
  ended_ = true;
  readable_ = false;
  if (why.what != stream_end::kind::fin) {
    broken_ = true;
    connecting_ = false;
    unsent_ = buffer();
    further_.reset();
  }
  handler_->on_end(why);
}

void epoll_stream::fail_later(int code) {
  broken_ = true;
  failure_ = static_cast<std::int16_t>(code);
  queue();
}

std::unique_ptr<parked_stream> epoll_stream::park() {
  if (fd_ < 0 || connecting_ || broken_ || ended_ || finish_ || unsent() > 0) return nullptr;
  loop_->remove(fd_, this);
  if (queued_) loop_->forget_unfinished(this);
  receiving_ = false;
  ended_ = true;
  return std::make_unique<parked_socket>(unique_fd(std::exchange(fd_, -1)));
}

void epoll_stream::close() {
  if (fd_ < 0) return;
  if (gathered_) settle_gathered();
  loop_->forget(this);
  if (queued_) loop_->forget_unfinished(this);
  ::close(std::exchange(fd_, -1));
  receiving_ = false;
  ended_ = true;
  unsent_ = buffer();
  further_.reset();
}

void epoll_stream::reset() {
  if (fd_ < 0) return;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

}  // namespace trunkline::runtime
