#include "session/exchange_timer.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::session {

using telemetry::exchange_facts;
using telemetry::exchange_kind;
using telemetry::outcome;
using telemetry::phase;

namespace {

constexpr exchange_timer::time_point never{};

exchange_timer::nanoseconds positive(exchange_timer::nanoseconds value) {
  return std::max(value, exchange_timer::nanoseconds(0));
}

}  // namespace

void exchange_timer::request(time_point arrived, std::uint64_t request, exchange_kind kind, bool ends) {
  if (requests_ == 0 || (newest().ended && requests_ < limits::exchanges_in_flight)) open(arrived, kind);
  waiting& mine = newest();
  mine.last_request = request;
  mine.ended = ends;
}

void exchange_timer::open(time_point arrived, exchange_kind kind) {
  const waiting fresh{.first = arrived, .last = arrived, .kind = kind};
  if (requests_++ == 0) {
    front_ = fresh;
    return;
  }
  if (behind_ == nullptr) behind_ = std::make_unique<std::deque<waiting>>();
  behind_->push_back(fresh);
}

void exchange_timer::request_bytes(time_point arrived, std::size_t bytes, nanoseconds rtt) {
  if (requests_ == 0) return;
  waiting& mine = newest();
  time_point since = mine.last;
  if (requests_ == 1 && answer_first_ != never) {
    // A part of the request was answered (Flush, CopyInResponse); then the client went on.
    settle(rtt);
    since = answer_last_;
  }
  mine.upload += positive(arrived - since - mine.server_stall);
  mine.stalled_before += std::exchange(mine.server_stall, nanoseconds(0));
  mine.last = arrived;
  mine.sent = never;
  mine.bytes += bytes;
}

template <class Visit>
void exchange_timer::each_unsent(Visit&& visit) {
  if (front_.sent == never) visit(front_);
  if (behind_ == nullptr) return;
  for (auto at = behind_->rbegin(); at != behind_->rend() && at->sent == never; ++at)
    visit(*at);
}

void exchange_timer::sent(time_point now) {
  if (requests_ == 0) return;
  each_unsent([&](waiting& each) { each.sent = now; });
}

void exchange_timer::server_takes(time_point now) {
  if (server_stalled_ == never) return;
  const nanoseconds stall = positive(now - std::exchange(server_stalled_, never));
  if (requests_ == 0) return;
  newest().server_stall += stall;
}

void exchange_timer::lease_taken(time_point now) {
  if (server_stalled_ == never) return;
  const nanoseconds wait = positive(now - std::exchange(server_stalled_, never));
  if (requests_ != 0) newest().lease_wait += wait;
}

void exchange_timer::answer_bytes(time_point arrived, time_point read, std::size_t bytes) {
  if (requests_ == 0) return;
  if (answer_first_ == never) answer_first_ = arrived;
  answer_last_ = arrived;
  answer_read_ = read;
  answer_late_ += read - arrived;
  answer_bytes_ += bytes;
}

void exchange_timer::failed(sqlstate code) {
  if (!failed_) code_ = code;
  failed_ = true;
}

void exchange_timer::ready(std::uint64_t request, char status, nanoseconds rtt) {
  if (requests_ == 0) return;
  // More than one where the server dropped a Sync of ours (a COPY does): they are told as one.
  while (requests_ > 1 && behind_->front().last_request <= request) {
    front_.last_request = behind_->front().last_request;
    front_.bytes += behind_->front().bytes;
    behind_->pop_front();
    --requests_;
  }
  finish(status, rtt);
}

void exchange_timer::client_takes(time_point now) {
  if (client_stalled_ == never) return;
  const nanoseconds stall = positive(now - std::exchange(client_stalled_, never));
  if (requests_ != 0) client_stall_ += stall;
  for (answered& each : done_) {
    each.facts.at(phase::client_stall) += std::min(stall, positive(now - each.facts.began));
    each.stalled += std::min(stall, positive(now - each.read));
  }
}

/// What was sent last has been answered, wholly or in part.
void exchange_timer::settle(nanoseconds rtt) {
  const auto cost = [this](phase which) -> nanoseconds& { return costs_[static_cast<std::size_t>(which)]; };
  const time_point answer = answer_first_ == never ? answer_last_ : answer_first_;
  // An answer can come before all of the request is sent: then nothing of it waited for the server.
  const time_point sent = front_.sent == never ? std::min(answer, front_.last) : front_.sent;
  const nanoseconds waited = positive(answer - std::max(sent, previous_answer_));
  const nanoseconds network = sent < previous_answer_ ? nanoseconds(0) : std::min(rtt, waited);
  cost(phase::gateway) +=
      positive(sent - front_.last - front_.server_stall - front_.lease_wait) + answer_late_;
  cost(phase::wait) += front_.lease_wait;
  cost(phase::network) += network;
  cost(phase::server) += waited - network + front_.server_stall + front_.stalled_before;
  cost(phase::transfer) += positive(answer_last_ - answer);
  front_.server_stall = front_.stalled_before = front_.lease_wait = answer_late_ = nanoseconds(0);
  previous_answer_ = answer_last_;
  answer_first_ = never;
}

/// The front exchange is over, as far as the server goes.
void exchange_timer::finish(char status, nanoseconds rtt) {
  settle(rtt);
  exchange_facts facts;
  facts.began = front_.first;
  facts.phases = costs_;
  facts.at(phase::client_upload) = front_.upload;
  facts.at(phase::client_stall) = client_stall_;
  facts.bytes_in = front_.bytes;
  facts.bytes_out = answer_bytes_;
  facts.last_request = front_.last_request;
  facts.kind = front_.kind;
  facts.how = failed_ ? outcome::error : outcome::ok;
  facts.transaction_status = status;
  facts.code = code_;
  done_.push_back({.facts = facts, .read = answer_read_});
  next();
}

void exchange_timer::next() {
  costs_ = {};
  client_stall_ = nanoseconds(0);
  answer_bytes_ = 0;
  code_ = sqlstate();
  failed_ = false;
  if (--requests_ == 0) return;
  front_ = behind_->front();
  behind_->pop_front();
}

void exchange_timer::cut_off(time_point now, sqlstate code, char status, nanoseconds rtt) {
  client_takes(now);
  server_takes(now);
  while (requests_ != 0) {
    if (answer_first_ == never) answer_first_ = now;
    answer_last_ = std::max(answer_last_, now);
    answer_read_ = now;
    if (!failed_) code_ = code;
    finish(status, rtt);
    done_.back().facts.how = outcome::cut_off;
  }
}

}  // namespace trunkline::session
