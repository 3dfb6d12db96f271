#include "runtime/epoll_loop.h"

#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "runtime/epoll_stream.h"

namespace trunkline::runtime {

namespace {

unique_fd checked(int fd, const char* what) {
  if (fd < 0) throw std::system_error(errno, std::generic_category(), what);
  return unique_fd(fd);
}

/// Milliseconds to wait, rounded up so that a timer is due when the wait is over; -1 for ever.
int wait_milliseconds(const time_point* deadline, time_point now) {
  if (deadline == nullptr) return -1;
  if (*deadline <= now) return 0;
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now).count();
  return static_cast<int>(std::min<decltype(wait)>(wait, 3'600'000));
}

}  // namespace

class epoll_accept_watch final : public accept_watch, public epoll_target {
 public:
  epoll_accept_watch(epoll_loop& owner, int socket, accept_handler& handler)
      : loop_(owner), fd_(socket), handler_(handler) {}
  ~epoll_accept_watch() override { loop_.remove(fd_, this); }
  void on_events(std::uint32_t) override { handler_.on_acceptable(); }

 private:
  epoll_loop& loop_;
  int fd_;
  accept_handler& handler_;
};

epoll_loop::epoll_loop(gathering sends)
    : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")),
      wake_target_(wake_.get()),
      gathering_(sends) {
  if (!add(wake_.get(), EPOLLIN, &wake_target_)) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

epoll_loop::~epoll_loop() {
  bury();
}

void epoll_loop::wake_target::on_events(std::uint32_t) {
  std::uint64_t count;
  [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof count);
}

void epoll_loop::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
}

bool epoll_loop::add(int fd, std::uint32_t events, epoll_target* target) {
  epoll_event event{.events = events, .data = {.ptr = target}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void epoll_loop::remove(int fd, epoll_target* target) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  forget(target);
}

void epoll_loop::forget(epoll_target* target) {
  for (int i = event_index_; i < event_count_; ++i) {
    if (events_[static_cast<std::size_t>(i)].data.ptr == target) {
      events_[static_cast<std::size_t>(i)].data.ptr = nullptr;
    }
  }
}

void epoll_loop::forget_unfinished(epoll_stream* which) {
  for (auto* list : {&unfinished_, &resuming_})
    std::replace(list->begin(), list->end(), which, static_cast<epoll_stream*>(nullptr));
}

std::unique_ptr<byte_stream> epoll_loop::adopt(int socket) {
  auto stream = std::make_unique<epoll_stream>(*this, socket, false);
  if (!add(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, stream.get())) stream->fail_later(errno);
  return stream;
}

std::unique_ptr<byte_stream> epoll_loop::connect(int socket, const sockaddr* to, socklen_t length) {
  auto stream = std::make_unique<epoll_stream>(*this, socket, true);
  if (::connect(socket, to, length) != 0 && errno != EINPROGRESS) {
    stream->fail_later(errno);
  } else if (!add(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, stream.get())) {
    stream->fail_later(errno);
  }
  return stream;
}

std::unique_ptr<accept_watch> epoll_loop::watch_listener(int socket, accept_handler& handler) {
  auto watch = std::make_unique<epoll_accept_watch>(*this, socket, handler);
  if (!add(socket, EPOLLIN | EPOLLEXCLUSIVE, watch.get())) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  return watch;
}

void epoll_loop::poll(const time_point* deadline) {
  if (gathering_ == gathering::when_possible) {  // first turn: the ring belongs to the thread that makes it
    gathering_ = gathering::never;
    batch_.open();
  }
  const int wait = unfinished_.empty() ? wait_milliseconds(deadline, now()) : 0;
  event_count_ = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), wait);
  // Stopped and let run again: what has come meanwhile belongs to this turn, which knows that it is late.
  if (event_count_ < 0)
    event_count_ = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), 0);
  wait_is_over(deadline);
  for (event_index_ = 0; event_index_ < event_count_;) {
    const epoll_event& event = events_[static_cast<std::size_t>(event_index_++)];
    if (event.data.ptr != nullptr) static_cast<epoll_target*>(event.data.ptr)->on_events(event.events);
    if (batch_.full()) batch_.flush();
  }
  event_count_ = 0;
  if (unfinished_.empty()) return;
  resuming_.swap(unfinished_);
  for (std::size_t i = 0; i < resuming_.size(); ++i) {
    if (resuming_[i] != nullptr) resuming_[i]->go_on();
  }
  resuming_.clear();
}

}  // namespace trunkline::runtime
