#include "session/audit_gate.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::session {

using audit::tap;
using audit::tap_header;
using audit::tap_kind;

namespace {

bool is_event(tap_kind kind) {
  return kind == tap_kind::event || kind == tap_kind::exchange_end;
}

}  // namespace

void audit_gate::waiter::leave() {
  if (gate_ != nullptr) std::erase(std::exchange(gate_, nullptr)->waiting_, this);
}

audit_gate::audit_gate(runtime::loop& where, audit::tap& tap, audit::tap_reader& reader)
    : loop_(where),
      tap_(tap),
      reader_(reader),
      again_(where.timers(), [](void* self) { static_cast<audit_gate*>(self)->look_again(); }, this) {}

void audit_gate::wait(waiter& who) {
  if (who.gate_ != nullptr) return;
  who.gate_ = this;
  who.since_ = loop_.now();
  waiting_.push_back(&who);
  if (!again_.armed()) again_.arm(loop_.now() + limits::audit_retry);
}

/// Once something was lost there has to be some room before anything is written again, so that losses come in
/// few gaps rather than many.
bool audit_gate::has_room(std::size_t payload) {
  if (!beside_.empty()) return false;
  if (!losing_) return tap_.has_room(tap::cost(payload));
  if (!tap_.has_room(limits::audit_ring_spare)) return false;
  tell_loss();
  return true;
}

void audit_gate::write(const tap_header& head, byte_span payload) {
  if (is_event(head.kind)) ++events_;
  if (has_room(payload.size())) return tap_.write(head, payload);
  if (!may_keep()) return lose(head.kind);
  beside_.push_back({head, {payload.begin(), payload.end()}, nullptr});
  if (!again_.armed()) again_.arm(loop_.now() + limits::audit_retry);
}

void audit_gate::write(std::unique_ptr<audit::rare_event> event) {
  ++events_;
  if (has_room(sizeof(void*))) {
    tap_.write(std::move(event));
  } else if (may_keep()) {
    beside_.push_back({{.kind = tap_kind::event}, {}, std::move(event)});
    if (!again_.armed()) again_.arm(loop_.now() + limits::audit_retry);
  } else {
    lose(tap_kind::event);
  }
  publish();
}

void audit_gate::lose(tap_kind kind) {
  if (!losing_) gap_ = {.from = loop_.now()};
  losing_ = true;
  gap_.to = loop_.now();
  if (kind == tap_kind::exchange_end) ++gap_.exchanges;
  if (kind == tap_kind::event) ++gap_.events;
  if (is_event(kind)) ++lost_;
  if (!again_.armed()) again_.arm(loop_.now() + limits::audit_retry);
}

void audit_gate::tell_loss() {
  losing_ = false;
  tap_.write({.kind = tap_kind::gap}, {reinterpret_cast<const std::byte*>(&gap_), sizeof gap_});
  publish();
}

void audit_gate::empty_beside() {
  while (!beside_.empty() && tap_.has_room(tap::cost(beside_.front().payload.size()))) {
    kept& first = beside_.front();
    if (first.event != nullptr) {
      tap_.write(std::move(first.event));
    } else {
      tap_.write(first.head, first.payload);
    }
    beside_.pop_front();
  }
  publish();
}

void audit_gate::look_again() {
  empty_beside();
  if (losing_ && beside_.empty() && tap_.has_room(limits::audit_ring_spare)) tell_loss();
  const bool is_open = open();
  // Whoever is called may leave, or come again.
  for (waiter* each : std::vector(waiting_)) {
    if (std::find(waiting_.begin(), waiting_.end(), each) == waiting_.end()) continue;
    if (!is_open && loop_.now() - each->since_ < limits::audit_stall) continue;
    each->leave();
    each->gate_changed(is_open);
  }
  if (losing_ || !beside_.empty() || !waiting_.empty()) again_.arm(loop_.now() + limits::audit_retry);
}

}  // namespace trunkline::session
