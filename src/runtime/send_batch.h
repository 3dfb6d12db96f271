// The sends of one turn, handed to the kernel in one call. A send wakes its receiver, and on a busy core the
// receiver takes over before the call returns; whoever relays for many sends one by one and is preempted
// after each. Gathered, they cost a fifth to a third less (docs/decisions/0008). io_uring carries them
// (io_uring_enter(2), Linux 6.1); nothing else here uses it, and where it is forbidden or missing nothing is
// gathered. Owner: the loop's thread, which also calls `open`.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/limits.h"
#include "runtime/buffer.h"

struct io_uring;

namespace trunkline::runtime {

/// Whoever has a send in a batch. `on_flushed` comes from `send_batch::flush`: `take` says how it went.
class batched_sender {
 public:
  virtual void on_flushed() = 0;
  /// The socket to send to.
  virtual int native_handle() const = 0;

 protected:
  ~batched_sender() = default;
};

class send_batch {
 public:
  static constexpr int not_sent = 1 << 30;
  /// `outcome`: bytes taken, or the negative errno of send(2); `not_sent`: the kernel never saw it.
  struct sent {
    buffer data;
    int outcome;
  };

  send_batch();
  send_batch(const send_batch&) = delete;
  send_batch& operator=(const send_batch&) = delete;
  ~send_batch();

  /// On the thread that flushes. 0, or the errno with which this kernel, or its policy, refuses.
  int open();
  bool is_open() const { return ring_ != nullptr; }
  bool has_room() const { return ring_ != nullptr && entries_.size() < limits::sends_per_batch; }
  bool empty() const { return entries_.empty(); }
  bool full() const { return entries_.size() >= limits::sends_per_batch; }

  /// Precondition: `has_room`. Until `flush`, at most one for each sender.
  void add(batched_sender& from, buffer data) { entries_.push_back({&from, {std::move(data), not_sent}}); }
  /// Takes the sender's entry out, sent or not. Precondition: there is one.
  sent take(const batched_sender& from);
  /// Sends all of it and tells each sender, which may close other senders, and itself, meanwhile.
  void flush();

 private:
  struct entry {
    batched_sender* from;
    sent what;
  };
  void submit(std::vector<entry>& batch);
  bool collect(std::vector<entry>& batch, unsigned& seen);

  std::unique_ptr<io_uring> ring_;
  std::vector<entry> entries_;
  std::vector<entry> flushing_;
};

}  // namespace trunkline::runtime
