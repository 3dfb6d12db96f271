// Where a cancel request finds the pooled session that it is for, from whatever thread: only the session
// knows which server connection it has at the moment (wire.md 5). Any thread, but for `open` and `shut`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "runtime/loop.h"

namespace trunkline::session {

/// Who stands behind a door. Called on its loop.
class cancel_taker {
 public:
  using answer = std::move_only_function<void(bool cancelled)>;

  virtual ~cancel_taker() = default;
  /// Cancels what runs now, if anything does. `done` is called on the same loop, when the server has heard.
  virtual void take_cancel(answer done) = 0;
  /// The server has heard of it, or cannot.
  virtual void cancel_over() = 0;
};

class pooled_door {
 public:
  pooled_door(runtime::loop& where, std::uint64_t session) : loop_(where), session_(session) {}

  std::uint64_t session() const { return session_; }

  /// On the session's loop.
  void open(cancel_taker& who) { who_ = &who; }
  void shut() { who_ = nullptr; }
  cancel_taker* who() const { return who_; }

  static void knock(std::shared_ptr<pooled_door> at, cancel_taker::answer done) {
    runtime::loop& its = at->loop_;
    its.post([self = std::move(at), done = std::move(done)]() mutable {
      if (self->who_ == nullptr) return done(true);  // it has gone, and with it what ran
      self->who_->take_cancel(std::move(done));
    });
  }

 private:
  runtime::loop& loop_;
  const std::uint64_t session_;
  cancel_taker* who_ = nullptr;  // only ever touched on the loop's thread
};

}  // namespace trunkline::session
