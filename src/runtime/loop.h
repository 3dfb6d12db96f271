// One loop per worker thread: timers, deferred work, work posted by other threads, and the sockets of its
// backend (epoll_loop, uring_loop; simulated_loop for tests). Owner: the thread that calls `run`. Only `post`
// and `stop` may be called from another thread.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/buffer.h"
#include "runtime/byte_stream.h"
#include "runtime/timer.h"

namespace trunkline::runtime {

class loop;

/// A piece of work that waits in a loop's queue until the current batch of events is over: how a coroutine is
/// resumed, and how an object is destroyed that is still on the call stack. Destroying it takes it out of the
/// queue.
class deferred {
 public:
  using callback = void (*)(void* context);

  deferred(loop& where, callback call, void* context) : loop_(&where), call_(call), context_(context) {}
  deferred(const deferred&) = delete;
  deferred& operator=(const deferred&) = delete;
  ~deferred() { cancel(); }

  /// Changes what is called. Precondition: not scheduled.
  void set(callback call, void* context) {
    call_ = call;
    context_ = context;
  }
  /// Idempotent while it waits.
  void schedule();
  /// The same for what takes long, such as a step of a TLS handshake: it waits until the turn has done all
  /// else, and with others of its kind gets a bounded share of each turn, so that sockets that are ready
  /// never wait behind all of them.
  void schedule_long();
  void cancel();
  bool scheduled() const { return previous_ != nullptr; }

 private:
  friend class loop;
  deferred() = default;
  void link(deferred& ring);
  void unlink();

  loop* loop_ = nullptr;
  callback call_ = nullptr;
  void* context_ = nullptr;
  deferred* previous_ = nullptr;
  deferred* next_ = nullptr;
};

/// Called once at the end of the turn in which it was scheduled, when what that turn sent is with the kernel
/// as far as it takes it, with the time that it is then: one look at the clock for all of a turn. It must not
/// schedule, send or destroy anything on the loop. Destroying it takes it out of the queue.
class turn_hook {
 public:
  using callback = void (*)(void* context, time_point now);

  turn_hook(loop& where, callback call, void* context) : loop_(&where), call_(call), context_(context) {}
  turn_hook(const turn_hook&) = delete;
  turn_hook& operator=(const turn_hook&) = delete;
  ~turn_hook() { cancel(); }

  /// Idempotent while it waits.
  void schedule();
  void cancel();

 private:
  friend class loop;

  loop* loop_;
  callback call_;
  void* context_;
  std::size_t place_ = 0;  ///< in the loop's list, counted from 1
};

/// Told when a listening socket has connections to accept.
class accept_handler {
 public:
  virtual ~accept_handler() = default;
  virtual void on_acceptable() = 0;
};

/// Keeps a loop watching a listening socket; destroying it stops that. The socket stays the caller's.
class accept_watch {
 public:
  virtual ~accept_watch() = default;
};

class loop {
 public:
  loop();
  loop(const loop&) = delete;
  loop& operator=(const loop&) = delete;
  virtual ~loop();

  /// Runs until `stop`. Any thread may be the loop's, but always the same one.
  void run();
  /// Any thread. The current batch is finished first.
  void stop();
  /// Any thread: `work` runs on the loop's thread, in the order of posting. Unbounded: for control, never per
  /// byte.
  void post(std::move_only_function<void()> work);

  /// The clock as of the start of this batch of events.
  time_point now() const { return now_; }
  /// How long the loop has worked rather than waited, up to the end of the last turn.
  duration busy() const { return busy_; }
  /// The loop may not have looked at its sockets for a while (the turn before took long, or the process was
  /// not let run, or had so little to do that this would not show): what is read in this turn may have
  /// arrived any time since `last_look`.
  bool was_late() const { return late_; }
  time_point last_look() const { return last_look_; }
  timer_queue& timers() { return timers_; }
  buffer_pool& buffers() { return buffers_; }

  /// Destroys `object` when the current batch of events is over.
  template <class T>
  void dispose(std::unique_ptr<T> object) {
    if (object == nullptr) return;
    graveyard_.emplace_back(object.release(), [](void* dead) { delete static_cast<T*>(dead); });
  }

  /// Takes over a connected, non-blocking socket.
  virtual std::unique_ptr<byte_stream> adopt(int socket) = 0;
  /// Connects a fresh, non-blocking socket, which it takes over; `on_connected` or `on_end` follows.
  virtual std::unique_ptr<byte_stream> connect(int socket, const sockaddr* to, socklen_t length) = 0;
  /// Watches a listening, non-blocking socket that other loops may watch too: one of them is woken per
  /// connection.
  virtual std::unique_ptr<accept_watch> watch_listener(int socket, accept_handler& handler) = 0;

 protected:
  /// Waits for events until the deadline, or without one for ever, then handles them. `wake` interrupts it.
  virtual void poll(const time_point* deadline) = 0;
  /// For a backend that waits: the wait of this turn is over, events follow.
  void wait_is_over(const time_point* deadline);
  /// What a backend has gathered during a turn goes out.
  virtual void end_turn() {}
  /// Any thread: makes a `poll` that waits, or the next one, return.
  virtual void wake() = 0;
  void read_clock();
  /// What time it is; a backend may have a time of its own.
  virtual time_point clock() const { return std::chrono::steady_clock::now(); }
  void set_clock(time_point now) { now_ = now; }
  /// What `run` does once; for backends that are driven by hand.
  void turn();
  bool has_immediate_work() const;
  /// A backend's destructor calls it before what its streams refer to goes.
  void bury();

 private:
  friend class deferred;
  friend class turn_hook;
  using corpse = std::unique_ptr<void, void (*)(void*)>;

  void run_posted();
  void run_deferred();
  void run_long();
  void run_hooks();

  timer_queue timers_;
  buffer_pool buffers_;
  time_point now_;
  deferred queue_;                 // the ring's fixed point
  deferred long_queue_;            // that of what takes long
  std::vector<turn_hook*> hooks_;  // null where one was cancelled
  duration busy_{0};
  time_point last_look_{};
  time_point turn_over_{};
  bool late_ = false;
  std::vector<corpse> graveyard_;
  std::atomic<bool> stopping_{false};
  std::mutex posted_mutex_;
  std::vector<std::move_only_function<void()>> posted_;
  std::atomic<bool> has_posted_{false};
};

}  // namespace trunkline::runtime
