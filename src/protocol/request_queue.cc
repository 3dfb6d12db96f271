#include "protocol/request_queue.h"

#include <algorithm>

namespace trunkline::protocol {

void request_queue::push(request_kind kind, std::uint32_t count) {
  if (size_ != 0) {
    run& last = runs_[size_ - 1u];
    if (last.what() == kind) {
      last.count += count;
      return;
    }
  }
  if (size_ < runs_.size()) {
    runs_[size_++] = {count, static_cast<std::uint32_t>(kind)};
    return;
  }
  if (!is_point(kind)) return;
  const auto last_point =
      std::find_if(runs_.rbegin(), runs_.rend(), [](run r) { return is_point(r.what()); });
  run& absorber = last_point == runs_.rend() ? runs_.back() : *last_point;
  if (last_point == runs_.rend()) absorber = {0, static_cast<std::uint32_t>(kind)};
  absorber.count += count;
}

bool request_queue::pop_point() {
  std::size_t at = 0;
  while (at < size_ && !is_point(runs_[at].what()))
    ++at;
  if (at == size_) {
    clear();
    return false;
  }
  erase(0, at);
  take_one(0);
  // A CopyDone sent behind the answered point belonged to it: its COPY failed, or never was one.
  if (size_ != 0 && runs_[0].what() == request_kind::copy_end_simple) erase(0, 1);
  return true;
}

bool request_queue::begin_copy_in() {
  std::size_t at = 0;
  if (size_ != 0 && runs_[0].what() == request_kind::query) {
    if (runs_[0].count > 1) return false;  // another Query follows at once: the server will end the session
    at = 1;
  }
  while (at < size_ && runs_[at].what() == request_kind::sync)
    erase(at, at + 1);
  if (at == size_ || !is_copy_end(runs_[at].what())) return false;
  take_one(at);
  return true;
}

bool request_queue::answer_extended() {
  const std::size_t at = head();
  if (at == size_ || runs_[at].what() != request_kind::extended) return false;
  take_one(at);
  return true;
}

bool request_queue::skip_to_sync() {
  std::size_t at = 0;
  while (at < size_ && runs_[at].what() != request_kind::sync)
    ++at;
  erase(0, at);
  return size_ != 0;
}

bool request_queue::head_is_extended() const {
  const std::size_t at = head();
  return at < size_ && runs_[at].what() == request_kind::extended;
}

/// The oldest run that is no CopyDone or CopyFail.
std::size_t request_queue::head() const {
  std::size_t at = 0;
  while (at < size_ && is_copy_end(runs_[at].what()))
    ++at;
  return at;
}

void request_queue::take_one(std::size_t index) {
  if (runs_[index].count > 1) {
    --runs_[index].count;
  } else {
    erase(index, index + 1);
  }
}

/// Neighbours that become equal stay two runs: harmless, and rare.
void request_queue::erase(std::size_t from, std::size_t to) {
  std::copy(runs_.begin() + to, runs_.begin() + size_, runs_.begin() + from);
  size_ = static_cast<std::uint8_t>(size_ - (to - from));
}

}  // namespace trunkline::protocol
