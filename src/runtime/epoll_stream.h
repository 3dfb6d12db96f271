// A socket on an epoll_loop (internal to the backend).
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "runtime/epoll_loop.h"
#include "runtime/object_slab.h"

namespace trunkline::runtime {

class epoll_stream final : public byte_stream,
                           public slab_object<epoll_stream>,
                           public epoll_target,
                           private batched_sender {
 public:
  epoll_stream(epoll_loop& owner, int socket, bool connecting)
      : loop_(&owner), fd_(socket), connecting_(connecting) {}
  ~epoll_stream() override { close(); }

  void resume_receiving() override;
  void pause_receiving() override { receiving_ = false; }
  sending send(buffer data) override;
  std::size_t unsent() override;
  void finish_sending() override;
  std::unique_ptr<parked_stream> park() override;
  void close() override;
  void reset() override;
  int native_handle() const override { return fd_; }

  void on_events(std::uint32_t events) override;
  /// The rest of a long read, or a failure that waited to be told; called by the loop.
  void go_on();
  /// `on_end` follows, but not inside the call that failed.
  void fail_later(int code);

 private:
  void on_flushed() override;
  sending send_now(buffer data);
  void settle_gathered();
  void finish_connecting();
  void receive();
  void queue();
  void flush();
  void end(stream_end why);
  void keep(buffer rest);

  epoll_loop* loop_;
  int fd_;
  std::int16_t failure_ = 0;  // errno of a failed call, to be told from the loop
  bool connecting_;
  bool receiving_ = false;                       // the handler wants bytes
  bool readable_ = false;                        // the kernel may have some
  bool finned_ = false;                          // EPOLLRDHUP was seen: read on to the end
  bool ended_ = false;                           // on_end was called for receiving
  bool broken_ = false;                          // neither direction works any more
  bool finish_ = false;                          // FIN is to follow what is unsent
  bool bulk_ = false;                            // the last read filled its buffer
  bool gathered_ = false;                        // a send of this stream is in the loop's batch
  bool queued_ = false;                          // stands in the loop's list of unfinished streams
  buffer unsent_;                                // what the kernel did not take,
  std::unique_ptr<std::deque<buffer>> further_;  // and what came after it (rare)
};

// Of each idle client there is one.
static_assert(sizeof(epoll_stream) <= 96);

}  // namespace trunkline::runtime
