#include "storm/client.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "runtime/deadline.h"
#include "storm/rounds.h"

namespace trunkline::storm {
namespace {

using clock = std::chrono::steady_clock;

microseconds since(runtime::time_point then) {
  return std::chrono::duration_cast<microseconds>(clock::now() - then);
}

}  // namespace

client::client(path& of, crowd_rules& rules, std::uint32_t number, workload kind)
    : path_(&of),
      rules_(&rules),
      number_(number),
      kind_(kind),
      changed_(*of.where),
      main_(of, changed_, *this),
      helper_(of, changed_, *this),
      random_(static_cast<std::uint32_t>(of.how->seed * 2'654'435'761 + number + 1)) {
  if (kind == workload::bulk) main_.line().set_slow_reader();
}

std::uint64_t client::draw(std::uint64_t least, std::uint64_t most) {
  return std::uniform_int_distribution<std::uint64_t>(least, std::max(least, most))(random_);
}

void client::answered(stage in, microseconds took) {
  if (!rehearses_) path_->said->answered(kind_, took);
  stage_took(in, took, runtime::duration(0), false);
}

void client::stage_took(stage which, microseconds took, runtime::duration stalled, bool own_pace) {
  if (rehearses_) return;
  if (!own_pace) path_->said->stage_took(which, took);
  if (own_pace || took - stalled <= how().late) return;
  path_->said->found(
      {.what = {.what = fault::late, .where = which, .code = {}, .message = "it came, but late"},
       .during = kind_,
       .at = since(rules_->began),
       .took = took,
       .client = number_,
       .session = session_number_,
       .local_port = main_.line().local_port()});
}

void client::found(problem what, const connection& at) {
  if (!first_problem_) first_problem_ = what;
  if (rehearses_) return;
  const bool was_used = main_.last_used() != runtime::time_point{} && what.where > stage::lease;
  const auto silence = was_used ? since(main_.last_used()) - at.elapsed() : microseconds(0);
  path_->said->found({.what = std::move(what),
                      .during = kind_,
                      .at = since(rules_->began),
                      .took = at.elapsed(),
                      .silence = std::max(silence, microseconds(0)),
                      .client = number_,
                      .session = session_number_,
                      .local_port = at.local_port()});
}

runtime::task<bool> client::rest(client* self, runtime::duration time) {
  if (time <= runtime::duration(0)) co_return !self->stopping();
  runtime::deadline over(*self->path_->where, self->changed_, time);
  while (!over.passed() && !self->stopping())
    co_await self->changed_.wait();
  co_return !self->stopping();
}

runtime::task<bool> client::doze(client* self, runtime::duration time) {
  runtime::deadline over(*self->path_->where, self->changed_, time);
  while (time > runtime::duration(0) && !over.passed() && self->goes_on())
    co_await self->changed_.wait();
  co_return self->goes_on();
}

runtime::task<bool> client::open(client* self, session* which) {
  const auto turn = self->rules_->gate.reserve(self->path_->where->now());
  if (!co_await doze(self, turn - self->path_->where->now())) co_return false;
  const auto began = clock::now();
  if (which == &self->main_) {
    ++self->session_number_;
    self->prepared_ = false;
  }
  auto opened = co_await session::open(which);
  if (opened) {
    self->failures_ = 0;
    if (!self->rehearses_) self->path_->said->logged_in(since(began));
    co_return true;
  }
  self->found(std::move(opened.error()), which->line());
  which->drop();
  const auto delay = limits::storm_retry * (1U << std::min(self->failures_++, 10U));
  const auto bounded = std::min<std::chrono::milliseconds>(delay, limits::storm_retry_most);
  if (!self->rehearses_) (void)co_await doze(self, bounded / 2 + bounded * self->draw(0, 100) / 200);
  co_return false;
}

runtime::task<bool> client::ask(client* self, session* which, exchange* what) {
  const auto began = clock::now();
  auto answered = co_await session::ask(which, what);
  if (answered) {
    if (!self->rehearses_ && !what->own_pace) self->path_->said->answered(self->kind_, since(began));
    co_return true;
  }
  self->found(std::move(answered.error()), which->line());
  co_return false;
}

runtime::task<bool> client::leave(client* self, session* which) {
  if (!which->is_open()) {
    which->drop();
    co_return true;
  }
  auto left = co_await session::leave(which);
  if (!left) self->found(std::move(left.error()), which->line());
  which->drop();
  co_return left.has_value();
}

void client::drop_all() {
  main_.drop();
  helper_.drop();
}

runtime::duration client::pace() const {
  const double seconds = static_cast<double>(std::max<std::size_t>(rules_->wanted, 1)) / how().rate;
  return std::chrono::duration_cast<runtime::duration>(std::chrono::duration<double>(seconds));
}

microseconds client::path_time() const {
  return since(rules_->began);
}

void client::plan_first() {
  const auto first = std::min<runtime::duration>(pace(), std::chrono::seconds(1));
  const auto most = std::chrono::duration_cast<microseconds>(first).count();
  planned_ = path_time() + microseconds(draw(0, static_cast<std::uint64_t>(most)));
}

/// A client that is behind does not catch up: it would only ask faster than anybody wanted.
void client::plan_next() {
  planned_ = std::max(*planned_ + std::chrono::duration_cast<microseconds>(pace()), path_time());
}

/// A round that begins late although its client had nothing else to do is late because of this process.
runtime::task<void> client::await_due(client* self) {
  if (!self->planned_) self->plan_first();
  const auto ahead = self->rules_->began + *self->planned_ - self->path_->where->now();
  if (ahead <= runtime::duration(0)) co_return;
  const bool there = co_await doze(self, ahead);
  if (there && self->wanted()) self->path_->said->lag.record(self->path_time() - *self->planned_);
}

runtime::task<void> client::round(client* self) {
  if (!self->main_.exists()) {
    if (!co_await open(self, &self->main_)) co_return;
  }
  const auto began = clock::now();
  ++self->rounds_;
  const bool well = co_await play_round(self, self->kind_);
  if (!well) {
    self->main_.part();
    self->helper_.part();
    co_return;
  }
  self->path_->said->round_over(since(began), std::chrono::duration_cast<microseconds>(self->pace()));
  if (self->leaves_after_each()) co_await leave_all(self);
}

runtime::task<void> client::leave_all(client* self) {
  (void)co_await leave(self, &self->helper_);
  (void)co_await leave(self, &self->main_);
}

runtime::task<void> client::live(client* self) {
  while (!self->stopping()) {
    if (!self->wanted()) {
      co_await leave_all(self);
      self->planned_.reset();
    }
    if (!self->may_begin()) {
      if (!self->stopping()) co_await self->changed_.wait();
      continue;
    }
    co_await await_due(self);
    if (!self->may_begin()) continue;
    {
      const round_mark mark(*self->rules_);
      co_await round(self);
    }
    self->plan_next();
  }
  co_await leave_all(self);
}

runtime::task<std::optional<problem>> client::rehearse(client* self) {
  self->rehearses_ = true;
  if (co_await open(self, &self->main_)) {
    const bool well = co_await play_round(self, self->kind_);
    if (well) {
      co_await leave_all(self);
    } else {
      self->main_.part();
      self->helper_.part();
    }
  }
  co_return std::move(self->first_problem_);
}

}  // namespace trunkline::storm
