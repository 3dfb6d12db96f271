#include "storm/storm.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "client/build_tls.h"
#include "runtime/deadline.h"
#include "runtime/epoll_loop.h"
#include "runtime/random.h"
#include "storm/crowd.h"
#include "storm/probe.h"

namespace trunkline::storm {
namespace {

using clock = std::chrono::steady_clock;

/// Of two paths, each has the load for so long before it is the other's turn.
std::chrono::milliseconds turn_of(const settings& how, std::size_t paths) {
  if (paths < 2) return how.duration;
  return std::min<std::chrono::milliseconds>(limits::storm_turn, how.duration / limits::storm_turns_least);
}

/// Each wait is given up within the longest patience; a transfer that goes on behind it is not waited for.
std::chrono::milliseconds time_to_leave(const settings& how, const path& of) {
  return std::max(how.timeout, of.login_patience()) + limits::storm_farewell;
}

class weather {
 public:
  weather(report& into, const watcher& watch)
      : into_(into),
        watch_(watch),
        secret_(runtime::random_bytes<32>()),
        work_(limits::storm_threads, limits::storm_jobs),
        keys_(secret_, limits::key_cache_entries),
        timer_(loop_.timers(), &weather::ticked, this),
        stalls_(loop_),
        changed_(loop_) {}
  /// Jobs report to the loop, which is the younger one.
  ~weather() { work_.stop(); }
  weather(const weather&) = delete;
  weather& operator=(const weather&) = delete;

  result<> prepare() {
    const auto run = runtime::random_bytes<2>();
    for (auto& each : into_.paths) {
      auto tls = trunkline::client::build_tls(each->dsn);
      if (!tls) return fail(std::move(tls.error()));
      paths_.push_back(std::make_unique<path>(path{.where = &loop_,
                                                   .work = &work_,
                                                   .keys = &keys_,
                                                   .stalls = &stalls_,
                                                   .how = &into_.how,
                                                   .dsn = &each->dsn,
                                                   .tls = std::move(*tls),
                                                   .said = &each->said,
                                                   .run = load_u16(run.data()),
                                                   .label = each->label}));
      mixes_.push_back(into_.how.mix);
    }
    return {};
  }

  void run() {
    began_ = clock::now();
    timer_.arm(clock::now());
    stalls_.start();
    story_ = story(this);
    loop_.post([this] { story_.start(&weather::over, this); });
    loop_.run();
    timer_.disarm();
    stalls_.stop();
    into_.busy = seconds_of(loop_.busy()) / std::max(seconds_of(clock::now() - began_), 0.001);
    for (const auto& each : crowds_) {
      each->settle();
      into_.held_by_memory = into_.held_by_memory || each->held_by_memory();
    }
    story_ = {};
    crowds_.clear();
  }

 private:
  static runtime::task<void> story(weather* self);
  static runtime::task<bool> look_at_paths(weather* self);
  static runtime::task<void> take_turns(weather* self);
  static runtime::task<void> await_departure(weather* self);
  static void over(void* self) { static_cast<weather*>(self)->loop_.stop(); }
  static void ticked(void* self) { static_cast<weather*>(self)->tick(); }
  void tick();
  std::size_t whose_turn() const;
  void begin_turn(std::size_t whose);
  bool all_empty() const;
  progress look();

  report& into_;
  const watcher& watch_;
  const std::array<std::byte, 32> secret_;
  runtime::epoll_loop loop_;
  runtime::work_pool work_;
  auth::key_cache keys_;
  std::vector<std::unique_ptr<path>> paths_;
  std::vector<workload_mix> mixes_;
  runtime::timer timer_;
  stall_watch stalls_;
  runtime::signal changed_;
  runtime::task<void> story_;
  std::vector<std::unique_ptr<crowd>> crowds_;  // one for each path, once all are looked at
  std::size_t current_ = 0;
  runtime::time_point began_{};
  runtime::time_point looked_{};
  std::uint64_t answers_seen_ = 0;
  bool finishing_ = false;
  runtime::time_point finish_by_{};
};

/// One path after the other is looked at; then they take turns until the time is over, and all leave.
runtime::task<void> weather::story(weather* self) {
  if (!co_await look_at_paths(self)) co_return;
  const auto share = self->into_.how.duration / self->paths_.size();
  for (std::size_t i = 0; i < self->paths_.size(); ++i)
    self->crowds_.push_back(
        std::make_unique<crowd>(*self->paths_[i], self->mixes_[i], share, self->changed_));
  co_await take_turns(self);
  co_await await_departure(self);
}

runtime::task<bool> weather::look_at_paths(weather* self) {
  auto& reports = self->into_.paths;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    self->current_ = i;
    auto there = co_await probe(self->paths_[i].get(), &self->mixes_[i]);
    if (!there) reports[i]->failure = std::move(there.error());
    if (reports[i]->failure) co_return false;
  }
  co_return true;
}

/// Until the end of the run. In the last turn all that is under way goes on, into the farewell.
runtime::task<void> weather::take_turns(weather* self) {
  const auto turn = turn_of(self->into_.how, self->crowds_.size());
  const auto end = clock::now() + self->into_.how.duration;
  runtime::deadline over(self->loop_, self->changed_);
  while (clock::now() < end && !self->finishing_) {
    const auto turn_end = std::min(end, clock::now() + turn);
    const std::size_t whose = self->whose_turn();
    crowd* now = self->crowds_[whose].get();
    self->begin_turn(whose);
    over.arm(turn_end - self->loop_.now());
    while (!over.passed() && !self->finishing_)
      co_await self->changed_.wait();
    if (self->finishing_ || clock::now() >= end) co_return;
    now->end_turn();
    over.arm(std::min<runtime::duration>(limits::storm_turn_rest, end - self->loop_.now()));
    while (!now->at_rest() && !over.passed() && !self->finishing_)
      co_await self->changed_.wait();
    now->stand_still();
  }
}

runtime::task<void> weather::await_departure(weather* self) {
  auto most = limits::storm_farewell;
  for (std::size_t i = 0; i < self->crowds_.size(); ++i) {
    most = std::max(most, time_to_leave(self->into_.how, *self->paths_[i]));
    self->crowds_[i]->stop();
  }
  runtime::deadline over(self->loop_, self->changed_, most);
  while (!self->all_empty() && !over.passed())
    co_await self->changed_.wait();
}

/// Whoever had least of the time.
std::size_t weather::whose_turn() const {
  const auto least = std::ranges::min_element(crowds_, {}, [](const auto& each) { return each->elapsed(); });
  return static_cast<std::size_t>(least - crowds_.begin());
}

void weather::begin_turn(std::size_t whose) {
  current_ = whose;
  answers_seen_ = into_.paths[whose]->said.answer_count();
  crowds_[whose]->take_turn();
}

bool weather::all_empty() const {
  return std::ranges::all_of(crowds_, [](const auto& each) { return each->empty(); });
}

progress weather::look() {
  progress made;
  const path_report& now = *into_.paths[current_];
  if (into_.paths.size() > 1) made.label = now.label;
  made.probing = crowds_.empty();
  made.total = seconds_of(into_.how.duration);
  for (const auto& each : into_.paths)
    made.findings += each->said.findings.total();
  for (const auto& each : crowds_)
    made.elapsed += seconds_of(each->elapsed());
  made.elapsed = std::min(made.elapsed, made.total);
  made.clients = crowds_.empty() ? 1 : crowds_[current_]->wanted();
  made.most_clients = into_.how.clients;
  const std::uint64_t answers = now.said.answer_count();
  const double span = seconds_of(clock::now() - looked_);
  made.answers_per_second = span <= 0 ? 0 : static_cast<double>(answers - answers_seen_) / span;
  answers_seen_ = answers;
  looked_ = clock::now();
  made.p50 = now.said.over_time.current().at(0.5);
  made.p99 = now.said.over_time.current().at(0.99);
  return made;
}

void weather::tick() {
  timer_.arm(loop_.now() + limits::storm_tick);
  const wish wanted = watch_(look());
  if (wanted == wish::go_on && !finishing_) return;
  if (!finishing_) {
    finishing_ = true;
    finish_by_ = clock::now() + limits::storm_farewell;
    into_.interrupted = true;
    changed_.raise();
  }
  if (wanted == wish::end || crowds_.empty() || clock::now() >= finish_by_) loop_.stop();
}

}  // namespace

std::uint64_t report::findings() const {
  std::uint64_t sum = 0;
  for (const auto& each : paths)
    sum += each->said.findings.total();
  return sum;
}

bool report::failed() const {
  return std::ranges::any_of(paths, [](const auto& each) { return each->failure.has_value(); });
}

result<report> run(const settings& how, std::vector<conninfo> dsns, const watcher& watch) {
  report made;
  made.how = how;
  made.began = std::chrono::system_clock::now();
  for (std::size_t i = 0; i < dsns.size(); ++i)
    made.paths.push_back(std::make_unique<path_report>(std::string(1, static_cast<char>('A' + i)),
                                                       std::move(dsns[i]), how.duration / dsns.size()));
  try {
    weather storm(made, watch);
    if (auto ready = storm.prepare(); !ready) return fail(std::move(ready.error()));
    storm.run();
  } catch (const std::system_error& wrong) {
    return fail({.code = sqlstates::internal_error, .message = wrong.what()});
  }
  return made;
}

}  // namespace trunkline::storm
