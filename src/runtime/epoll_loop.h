// The readiness backend: edge-triggered epoll. A read that does not fill its buffer means that the socket is
// drained, so that no second receive has to ask. Small writes of one turn go out together at its end
// (send_batch.h), others at once, and only what the kernel does not take waits. One receive per direction and
// chunk, one send or a share of one, and a wait shared by all sockets that are ready: no other call. Linux,
// epoll(7). Owner: one loop thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <vector>

#include "runtime/loop.h"
#include "runtime/send_batch.h"
#include "runtime/unique_fd.h"

namespace trunkline::runtime {

/// Whatever an epoll event can be about.
class epoll_target {
 public:
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~epoll_target() = default;
};

class epoll_stream;

/// Whether small writes of one turn go out together, where the kernel lets us.
enum class gathering : std::uint8_t { when_possible, never };

class epoll_loop final : public loop {
 public:
  /// Throws std::system_error where the process has no descriptor left.
  explicit epoll_loop(gathering sends = gathering::when_possible);
  ~epoll_loop() override;

  /// From the first turn on: sends are gathered.
  bool gathers() const { return batch_.is_open(); }

  std::unique_ptr<byte_stream> adopt(int socket) override;
  std::unique_ptr<byte_stream> connect(int socket, const sockaddr* to, socklen_t length) override;
  std::unique_ptr<accept_watch> watch_listener(int socket, accept_handler& handler) override;

 protected:
  void poll(const time_point* deadline) override;
  void end_turn() override { flush_sends(); }
  void wake() override;

 private:
  friend class epoll_stream;
  friend class epoll_accept_watch;

  class wake_target final : public epoll_target {
   public:
    explicit wake_target(int fd) : fd_(fd) {}
    void on_events(std::uint32_t events) override;

   private:
    int fd_;
  };

  bool add(int fd, std::uint32_t events, epoll_target* target);
  void remove(int fd, epoll_target* target);
  /// `which` has more to read than its share of one turn: it goes on in the next one.
  void continue_later(epoll_stream* which) { unfinished_.push_back(which); }
  void forget(epoll_target* target);
  void flush_sends() {
    if (!batch_.empty()) batch_.flush();
  }
  void forget_unfinished(epoll_stream* which);

  unique_fd epoll_;
  unique_fd wake_;
  wake_target wake_target_;
  std::array<epoll_event, 256> events_;
  int event_count_ = 0;
  int event_index_ = 0;
  gathering gathering_;
  send_batch batch_;
  std::vector<epoll_stream*> unfinished_;
  std::vector<epoll_stream*> resuming_;  // the unfinished ones of the last turn, while they go on
};

}  // namespace trunkline::runtime
