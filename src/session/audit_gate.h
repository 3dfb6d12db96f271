// One worker's door to the audit: writes records into its ring and decides what happens when there is no room
// (product.md G10). `onFailure: block`: sessions wait, what a chunk in hand still brings is kept beside the
// ring, and who has waited for too long is ended. `continue`: records are lost, counted and told. Owner: the
// worker; its loop thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "audit/tap.h"
#include "base/limits.h"
#include "runtime/loop.h"

namespace trunkline::session {

class audit_gate {
 public:
  /// A session that may not read on. Destroying it takes it out of the queue.
  class waiter {
   public:
    waiter() = default;
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;
    virtual ~waiter() { leave(); }
    /// There is room again, or has not been for `limits::audit_stall`.
    virtual void gate_changed(bool open) = 0;
    bool waits() const { return gate_ != nullptr; }
    void leave();

   private:
    friend class audit_gate;
    audit_gate* gate_ = nullptr;
    runtime::time_point since_{};
  };

  audit_gate(runtime::loop& where, audit::tap& tap, audit::tap_reader& reader);

  /// As the configuration says; may change with a reload.
  void set_block(bool block) { block_ = block; }
  /// False: wait before reading on.
  bool open() { return !block_ || (beside_.empty() && tap_.has_room(limits::audit_ring_spare)); }
  /// Events cannot be kept, and sessions may not go on without.
  bool blocked() const { return block_ && reader_.blocked(); }
  void wait(waiter& who);

  void write(const audit::tap_header& head, byte_span payload);
  void write(std::unique_ptr<audit::rare_event> event);
  /// What was written so far may be read.
  void publish() {
    tap_.publish();
    reader_.notify();
  }
  std::uint64_t written_events() const { return events_; }
  std::uint64_t lost_events() const { return lost_; }

 private:
  struct kept {
    audit::tap_header head;
    std::vector<std::byte> payload;
    std::unique_ptr<audit::rare_event> event;
  };

  bool has_room(std::size_t payload);
  /// Sessions read no more by then; only what comes without them (cancel requests, ends) can fill it.
  bool may_keep() const { return block_ && beside_.size() < limits::audit_records_beside; }
  void lose(audit::tap_kind kind);
  void tell_loss();
  void empty_beside();
  void look_again();

  runtime::loop& loop_;
  audit::tap& tap_;
  audit::tap_reader& reader_;
  runtime::timer again_;
  std::vector<waiter*> waiting_;
  std::deque<kept> beside_;  // block: in order behind what is in the ring
  audit::tap_gap gap_;       // continue: not told yet
  bool losing_ = false;
  bool block_ = true;
  std::uint64_t events_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace trunkline::session
