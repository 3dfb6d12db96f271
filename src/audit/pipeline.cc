#include "audit/pipeline.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "audit/file_sink.h"
#include "audit/json_pieces.h"
#include "audit/stdout_sink.h"
#include "base/limits.h"
#include "base/seconds.h"
#include "runtime/random.h"

namespace trunkline::audit {
namespace {

/// Read at once from one tap; its space is free again after that.
constexpr std::size_t read_bytes = 256 * 1024;

std::string random_boot() {
  std::string text;
  append_hex(text, runtime::random_bytes<4>());
  return text;
}

std::string host_name() {
  utsname facts{};
  return ::uname(&facts) == 0 ? facts.nodename : "unknown";
}

/// The same place: its lines go on.
bool same_place(const config::audit_sink& a, const config::audit_sink& b) {
  return a.type == b.type && (a.type != config::audit_sink_type::file || a.path == b.path);
}

}  // namespace

pipeline::pipeline(options how)
    : boot_(how.boot.empty() ? random_boot() : how.boot),
      replica_(how.replica.empty() ? host_name() : how.replica),
      how_(std::move(how)),
      model_({boot_, replica_}, *this) {}

pipeline::~pipeline() {
  stop();
}

tap& pipeline::add_worker() {
  return *taps_.emplace_back(std::make_unique<tap>(how_.ring_bytes));
}

void pipeline::start() {
  thread_ = runtime::owned_thread("audit", [this] { run(); });
}

void pipeline::stop() {
  stopping_.store(true, std::memory_order_release);
  spot_.hurry();
  thread_.join();
}

audit_state pipeline::state() const {
  audit_state now;
  now.enabled = enabled_.load(std::memory_order_relaxed);
  now.blocked = blocked();
  now.events = events_.load(std::memory_order_relaxed);
  now.dropped = dropped_.load(std::memory_order_relaxed);
  if (const std::int64_t since = pending_since_ns_.load(std::memory_order_relaxed); since != 0) {
    const auto age = clock::now().time_since_epoch() - std::chrono::nanoseconds(since);
    now.lag_seconds = std::max(seconds_of(age), 0.0);
  }
  const std::lock_guard lock(state_mutex_);
  now.problem = problem_;
  return now;
}

// ---- configuration ----

bool pipeline::is_owned(const config::audit_sink& how) const {
  return std::ranges::any_of(owned_, [&](const auto& one) { return same_place(one, how); });
}

result<> pipeline::open_sinks(const config::audit& how, wanted& into) {
  for (const config::audit_sink& one : how.sinks) {
    owned_sink made{nullptr, one, 0};
    if (next_) {
      const auto waiting = std::ranges::find_if(
          next_->sinks, [&](const auto& other) { return same_place(other.how, one) && other.sink; });
      if (waiting != next_->sinks.end()) made.sink = std::move(waiting->sink);
    }
    if (!made.sink && !is_owned(one)) {
      if (one.type == config::audit_sink_type::standard_output) {
        made.sink = std::make_unique<stdout_sink>(replica_, how_.standard_output);
      } else if (auto opened = file_sink::open(one, replica_, *how_.files, beside_)) {
        made.sink = std::move(*opened);
      } else {
        return fail(opened.error());
      }
    }
    into.sinks.push_back(std::move(made));
  }
  return {};
}

result<> pipeline::configure(const config::audit& how, const config::tracing& tracing) {
  std::vector<std::unique_ptr<otlp_exporter>> ended;
  const std::lock_guard lock(mutex_);
  ended.swap(retired_);
  auto made = std::make_unique<wanted>();
  made->how = how;
  if (auto opened = open_sinks(how, *made); !opened) {
    // What the configuration before waits for goes back to it.
    for (owned_sink& one : made->sinks) {
      const auto place =
          next_ ? std::ranges::find_if(next_->sinks, [&](auto& old) { return same_place(old.how, one.how); })
                : std::vector<owned_sink>::iterator{};
      if (next_ && place != next_->sinks.end() && one.sink) {
        place->sink = std::move(one.sink);
      } else if (one.sink) {
        one.sink->end();
      }
    }
    return opened;
  }
  made->tracing = tracing;
  if (next_ && next_->tracing == tracing) {
    made->exporter = std::move(next_->exporter);
  } else if (tracing != tracing_ && !tracing.endpoint.empty()) {
    made->exporter = std::make_unique<otlp_exporter>(tracing.endpoint, tracing.ca_file);
  }
  if (next_) {
    for (owned_sink& one : next_->sinks) {
      if (one.sink) one.sink->end();
    }
  }
  next_ = std::move(made);
  beside_ = false;
  enabled_.store(!how.sinks.empty(), std::memory_order_relaxed);
  has_next_.store(true, std::memory_order_release);
  spot_.hurry();
  return {};
}

void pipeline::take_configuration() {
  if (!has_next_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  has_next_.store(false, std::memory_order_relaxed);
  const auto next = std::move(next_);
  if (!next) return;
  replace_sinks(*next);
  if (next->tracing != tracing_ || next->exporter) {
    if (exporter_) retired_.push_back(std::move(exporter_));
    exporter_ = std::move(next->exporter);
    tracing_ = next->tracing;
  }
  present_ = next->how;
  model_.configure(present_, !sinks_.empty(), exporter_ != nullptr);
}

void pipeline::replace_sinks(wanted& next) {
  std::vector<owned_sink> made;
  for (owned_sink& one : next.sinks) {
    const auto old = std::ranges::find_if(
        sinks_, [&](auto& other) { return other.sink && same_place(other.how, one.how); });
    if (!one.sink && old != sinks_.end()) {
      one.sink = std::move(old->sink);
      one.lost_seen = old->lost_seen;
      if (auto* file = dynamic_cast<file_sink*>(one.sink.get())) file->configure(one.how);
    }
    if (one.sink) made.push_back(std::move(one));
  }
  retire(sinks_);
  sinks_ = std::move(made);
  owned_ = next.how.sinks;
}

/// Their last batch is tried once more. An event that several of them lose is one.
void pipeline::retire(std::vector<owned_sink>& some) {
  std::uint64_t lost_here = 0;
  for (owned_sink& one : some) {
    if (!one.sink) continue;
    if (!one.sink->commit(clock::now() + limits::audit_sink_retry)) {
      one.sink->give_up();
      lost_here = std::max(lost_here, one.sink->lost_events() - one.lost_seen);
    }
    one.sink->end();
  }
  dropped_.fetch_add(lost_here, std::memory_order_relaxed);
}

// ---- the thread ----

void pipeline::run() {
  for (;;) {
    take_configuration();
    if (stopping_.load(std::memory_order_acquire)) break;
    wait();
    take_configuration();
    round(clock::now());
  }
  finish();
}

bool pipeline::has_news() const {
  return std::ranges::any_of(taps_, [](const auto& one) { return !one->empty(); });
}

/// Returns when a round has something to do.
void pipeline::wait() {
  using how = runtime::parking_spot::how;
  const auto interrupted = [this] {
    return stopping_.load(std::memory_order_acquire) || has_next_.load(std::memory_order_acquire);
  };
  const auto rest = [&](clock::time_point until) {
    spot_.prepare(how::resting);
    if (interrupted()) return spot_.cancel();
    spot_.park(until - clock::now());
  };
  const bool unsettled = std::ranges::any_of(sinks_, [](const auto& one) { return one.sink->failed(); });
  if (held_) return rest(last_round_ + limits::audit_sink_retry);
  if (!more_) {
    std::optional<clock::time_point> until;
    if (unsettled) until = last_round_ + limits::audit_sink_retry;
    for (const owned_sink& one : sinks_) {
      const auto due = one.sink->deadline();
      if (due && (!until || *due < *until)) until = due;
    }
    spot_.prepare(how::idle);
    if (has_news() || interrupted()) {
      spot_.cancel();
    } else if (until) {
      spot_.park(*until - clock::now());
    } else {
      spot_.park();
    }
  }
  if (!has_news() || more_) return;
  const auto now = clock::now();
  if (pending_since_ns_.load(std::memory_order_relaxed) == 0) {
    pending_since_ns_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  rest(std::max(last_round_, now - limits::audit_commit) + limits::audit_commit);
}

void pipeline::round(clock::time_point now) {
  last_round_ = now;
  if (!held_) {
    for (owned_sink& one : sinks_)
      one.sink->begin_batch(now, present_.on_failure == config::audit_failure::go_on);
    look_at_clock(now);
    drain();
  }
  settle(now);
}

/// Time goes on evenly on the steady clock; the difference to the system's changes only where that is set.
void pipeline::look_at_clock(clock::time_point now) {
  const auto system = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto offset = system - (clock::now().time_since_epoch());
  const auto before = std::exchange(offset_, offset);
  model_.set_clock(offset);
  if (!before) return;
  const double jump = seconds_of(offset - *before);
  if (std::fabs(jump) <= 1.0) return;
  std::string fields = jump < 0 ? ",\"seconds\":-" : ",\"seconds\":";
  append_seconds(fields, std::fabs(jump));
  model_.own_event("clock", now, fields);
}

void pipeline::drain() {
  more_ = false;
  const auto full = [this] {
    return std::ranges::any_of(
        sinks_, [](const auto& one) { return one.sink->pending_bytes() >= limits::audit_batch_bytes; });
  };
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    std::size_t bytes = 0;
    while (bytes < how_.ring_bytes) {
      const std::size_t some = taps_[i]->read(
          read_bytes, [&](const tap_header& head, byte_span payload) { model_.record(i, head, payload); });
      if (some == 0) break;
      bytes += some;
      if (full()) {
        more_ = true;
        return;
      }
    }
  }
}

void pipeline::settle(clock::time_point now) {
  bool all_done = true;
  for (owned_sink& one : sinks_)
    all_done = one.sink->commit(now) && all_done;
  const bool lossy = present_.on_failure == config::audit_failure::go_on;
  held_ = !all_done && !lossy;
  if (!all_done && lossy) {
    for (owned_sink& one : sinks_) {
      if (one.sink->failed()) one.sink->give_up();
    }
  }
  if (!held_) {
    count_batch();
    model_.release();
    const bool waits = more_ || has_news();
    pending_since_ns_.store(waits ? now.time_since_epoch().count() : 0, std::memory_order_relaxed);
  }
  blocked_.store(!all_done, std::memory_order_relaxed);
  tell_state();
}

/// Events of the batch that one of the sinks lost count as dropped.
void pipeline::count_batch() {
  std::uint64_t lost_here = 0;
  for (owned_sink& one : sinks_) {
    const std::uint64_t lost_in_all = one.sink->lost_events();
    lost_here = std::max(lost_here, lost_in_all - std::exchange(one.lost_seen, lost_in_all));
  }
  dropped_.fetch_add(lost_here, std::memory_order_relaxed);
  events_.fetch_add(batch_events_ - std::min(lost_here, batch_events_), std::memory_order_relaxed);
  batch_events_ = 0;
}

void pipeline::tell_state() {
  std::string_view problem;
  std::string of_index;
  for (const owned_sink& one : sinks_) {
    if (one.sink->failed() && problem.empty()) problem = one.sink->problem();
    if (!problem.empty()) continue;
    if (const auto* file = dynamic_cast<const file_sink*>(one.sink.get())) of_index = file->index_problem();
    if (!of_index.empty()) problem = of_index;
  }
  const std::lock_guard lock(state_mutex_);
  if (problem_ != problem) problem_ = problem;
}

/// Nobody waits any more: what a sink cannot take now is lost, and the others have the rest.
void pipeline::finish() {
  for (int rounds = 0; rounds < 2 || more_ || has_news(); ++rounds) {
    const auto now = clock::now() + limits::audit_sink_retry;
    round(now);
    if (!held_) continue;
    present_.on_failure = config::audit_failure::go_on;
    settle(now);
  }
  retire(sinks_);
  sinks_.clear();
  exporter_.reset();
}

// ---- what the model tells ----

void pipeline::event(std::string_view body, const event_facts& facts) {
  ++batch_events_;
  for (owned_sink& one : sinks_)
    one.sink->add(body, facts);
}

void pipeline::span(span_record span) {
  if (exporter_) exporter_->add(std::move(span));
}

void pipeline::lost(std::uint64_t events) {
  dropped_.fetch_add(events, std::memory_order_relaxed);
}

}  // namespace trunkline::audit
