// What an operator does to an upstream: PAUSE, RESUME, RECONNECT, SWITCHOVER (interfaces.md, "Console").
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "pool/cluster_watch.h"
#include "pool/refusal.h"
#include "runtime/deadline.h"

namespace trunkline::pool {

using routing::endpoint_state;
using routing::server_role;
using telemetry::log_level;

namespace {

constexpr sqlstate object_in_use{"55006"};
constexpr sqlstate not_in_prerequisite_state{"55000"};
constexpr std::string_view promote = "SELECT pg_catalog.pg_promote(false)";
/// How often what is waited for is looked at.
constexpr std::chrono::milliseconds look{5};

}  // namespace

cluster_watch::entry* cluster_watch::find(routing::endpoint_id which) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const entry& each) { return each.watch->of()->id == which; });
  return found == entries_.end() ? nullptr : &*found;
}

/// New sessions wait, and those that there are as soon as they are between two transactions.
void cluster_watch::close(entry& which, bool closed) {
  which.closed = closed;
  which.watch->of()->held.store(closed, std::memory_order_relaxed);
  with_.hold(which.watch->of());
}

/// Sessions of closed endpoints that are still at work.
std::uint32_t cluster_watch::at_work() const {
  std::uint32_t count = 0;
  for (const entry& each : entries_) {
    if (!each.closed) continue;
    const member& one = *each.watch->of();
    const auto sessions = one.sessions.load(std::memory_order_relaxed);
    const auto resting = one.resting.load(std::memory_order_relaxed);
    count += sessions > resting ? sessions - resting : 0;
  }
  return count;
}

void cluster_watch::begin(runtime::task<result<std::string>> what, answer done) {
  if (operation_) {
    return done(fail(refusal(object_in_use, "another PAUSE or SWITCHOVER of this upstream is under way")));
  }
  operation_ = std::move(what);
  operation_answer_ = std::move(done);
  operation_.start([](void* self) { static_cast<cluster_watch*>(self)->operation_done_.schedule(); }, this);
}

void cluster_watch::operation_over() {
  auto said = operation_.take();
  operation_ = {};
  std::exchange(operation_answer_, nullptr)(std::move(said));
}

runtime::task<> cluster_watch::wait_a_moment(cluster_watch* self) {
  runtime::deadline deadline(*self->with_.loop, self->operation_changed_, look);
  while (!deadline.passed())
    co_await self->operation_changed_.wait();
}

/// False: the time is over.
runtime::task<bool> cluster_watch::wait_for_rest(cluster_watch* self, routing::moment until) {
  while (self->at_work() > 0) {
    if (self->with_.loop->now() >= until) co_return false;
    co_await wait_a_moment(self);
  }
  co_return true;
}

// ---- PAUSE, RESUME, RECONNECT ----

void cluster_watch::pause(answer done) {
  if (operation_) return begin({}, std::move(done));
  const std::string_view name = cluster_->name();
  paused_ = true;
  for (entry& each : entries_)
    close(each, true);
  with_.log->write(log_level::info, "pause", "new work waits", {{"upstream", name}});
  look_again();
  begin(wait_until_paused(this), std::move(done));
}

/// Where the primary stands once all is at rest: what a logical replica must have before a route may lead to
/// it. Nothing where nobody asks the primary.
runtime::task<std::string> cluster_watch::tell_position(cluster_watch* self) {
  const auto* primary = self->cluster_->now()->known.primary();
  if (primary == nullptr || !self->cluster_->now()->known.roles_are_watched) co_return std::string();
  const auto id = primary->id;
  const auto quiet = self->with_.loop->now();
  const auto until = quiet + limits::command_wait / 2;
  while (self->with_.loop->now() < until) {
    entry* at = self->find(id);
    if (at == nullptr) break;
    const endpoint_report& report = at->watch->report();
    if (report.answer && report.asked > quiet) {
      const auto position = report.answer->position;
      co_return fmt::format("{} is at rest at WAL position {:X}/{:X}", at->name, position >> 32,
                            position & 0xffff'ffff);
    }
    at->watch->ask_now();
    co_await wait_a_moment(self);
  }
  co_return std::string();
}

runtime::task<result<std::string>> cluster_watch::wait_until_paused(cluster_watch* self) {
  const bool rests = co_await wait_for_rest(self, self->with_.loop->now() + limits::pause_wait);
  if (rests) co_return co_await tell_position(self);
  co_return fail(refusal(object_in_use,
                         fmt::format("{} sessions of upstream \"{}\" are still in a transaction",
                                     self->at_work(), self->cluster_->name()),
                         "New work waits all the same. RESUME lets it go on."));
}

void cluster_watch::resume() {
  if (!paused_) return;
  paused_ = false;
  for (entry& each : entries_)
    close(each, false);
  const std::string_view name = cluster_->name();
  with_.log->write(log_level::info, "resume", "", {{"upstream", name}});
  look_again();
}

void cluster_watch::reconnect() {
  judge_.forget();
  hurry();
  for (const auto& each : names_)
    each->ask_now();
  for (entry& each : entries_) {
    each.watch->ask_now();
    with_.evict({.from = each.watch->of(), .leaving = true});
  }
}

// ---- SWITCHOVER ----

void cluster_watch::switch_over(const std::string& to, runtime::duration within, answer done) {
  if (operation_) return begin({}, std::move(done));
  const auto target = std::find_if(entries_.begin(), entries_.end(),
                                   [&](const entry& each) { return !each.leaving && each.name == to; });
  if (target == entries_.end()) {
    return done(fail(refusal(undefined_object,
                             fmt::format("upstream \"{}\" has no endpoint \"{}\"", cluster_->name(), to),
                             "SHOW ENDPOINTS lists them.")));
  }
  const auto* primary = cluster_->now()->known.primary();
  const auto refuse = [&](std::string why) {
    done(fail(refusal(not_in_prerequisite_state,
                      "no switchover of upstream \"" + cluster_->name() + "\": " + why)));
  };
  if (setup_->upstream().health == std::nullopt || setup_->upstream().health->user.empty())
    return refuse("it has no health.user, who would ask and promote");
  if (paused_) return refuse("it is paused");
  if (primary == nullptr) return refuse("its primary is not known");
  if (target->told.state != endpoint_state::up || target->told.role != server_role::replica)
    return refuse(to + " is not a replica that is up");
  begin(go_over(this, primary->id, target->watch->of()->id, within), std::move(done));
}

runtime::task<result<std::string>> cluster_watch::go_over(cluster_watch* self, routing::endpoint_id from,
                                                          routing::endpoint_id to, runtime::duration within) {
  const auto began = self->with_.loop->now();
  const std::string name = self->find(to)->name;
  self->with_.log->write(
      log_level::info, "switchover", "begins: new work waits",
      {{"upstream", std::string_view(self->cluster_->name())}, {"endpoint", std::string_view(name)}});
  self->set_switching(from, true);
  auto done = co_await prepare_and_promote(self, from, to, began + within);
  const auto replayed = self->with_.loop->now();
  if (done) done = co_await wait_for_primary(self, to, replayed + limits::promotion_wait);
  self->set_switching(from, false);
  const double seconds = seconds_of(self->with_.loop->now() - began);
  self->with_.log->write(done ? log_level::info : log_level::warning, "switchover",
                         done ? "is over" : "did not happen: " + done.error().message,
                         {{"upstream", std::string_view(self->cluster_->name())},
                          {"endpoint", std::string_view(name)},
                          {"ok", done.has_value()},
                          {"seconds", seconds},
                          {"waiting", static_cast<std::int64_t>(self->cluster_->held_now())}});
  if (!done) co_return fail(std::move(done.error()));
  co_return fmt::format("{} is the primary now; new work waited for {:.3f} s", name, seconds);
}

void cluster_watch::set_switching(routing::endpoint_id from, bool on) {
  switching_ = on;
  if (entry* old = find(from)) close(*old, on);
  look_again();
}

/// What can be undone: nothing is changed where it fails.
runtime::task<result<>> cluster_watch::prepare_and_promote(cluster_watch* self, routing::endpoint_id from,
                                                           routing::endpoint_id to, routing::moment until) {
  const auto give_up = [](const std::string& why) {
    return fail(refusal(not_in_prerequisite_state, why, "Nothing was changed; work goes on."));
  };
  const bool rests = co_await wait_for_rest(self, until);
  if (!rests) co_return give_up(fmt::format("{} sessions are still in a transaction", self->at_work()));
  // All that is committed stands before the position that the primary tells from here on.
  const auto quiet = self->with_.loop->now();
  std::uint64_t wanted = 0;
  for (;;) {
    entry* old = self->find(from);
    entry* target = self->find(to);
    if (old == nullptr || target == nullptr || old->told.state != endpoint_state::up ||
        target->told.state != endpoint_state::up)
      co_return give_up("a server was lost meanwhile");
    const endpoint_report& primary = old->watch->report();
    const endpoint_report& replica = target->watch->report();
    if (wanted == 0 && primary.answer && primary.asked > quiet) wanted = primary.answer->position;
    if (wanted == 0) old->watch->ask_now();
    if (wanted != 0 && replica.answer && replica.answer->position >= wanted) break;
    if (wanted != 0) target->watch->ask_now();
    if (self->with_.loop->now() >= until) {
      co_return give_up(fmt::format("{} has not replayed everything in time", target->name));
    }
    co_await wait_a_moment(self);
  }
  self->find(to)->watch->run(std::string(promote));
  for (;;) {
    entry* target = self->find(to);
    if (target == nullptr) co_return give_up("the endpoint was removed meanwhile");
    if (const auto& said = target->watch->said_of_statement()) {
      if (said->empty()) co_return result<>();
      co_return give_up("pg_promote: " + *said);
    }
    // The promotion may have been heard: whatever comes now is no undoing.
    if (target->watch->report().state == endpoint_state::down) co_return result<>();
    co_await wait_a_moment(self);
  }
}

runtime::task<result<>> cluster_watch::wait_for_primary(cluster_watch* self, routing::endpoint_id to,
                                                        routing::moment until) {
  for (;;) {
    const auto* primary = self->cluster_->now()->known.primary();
    if (primary != nullptr && primary->id == to) co_return result<>();
    if (self->with_.loop->now() >= until) {
      co_return fail(refusal(not_in_prerequisite_state,
                             "the promotion was asked for, but did not come in time",
                             "SHOW ENDPOINTS tells what the servers are now."));
    }
    if (entry* target = self->find(to)) target->watch->ask_now();
    co_await wait_a_moment(self);
  }
}

}  // namespace trunkline::pool
