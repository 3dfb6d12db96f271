#include "storm/storm.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "client/build_tls.h"
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
  const auto part = how.duration / static_cast<int>(limits::storm_turns);
  return std::max<std::chrono::milliseconds>(part, limits::storm_turn_least);
}

class weather {
 public:
  weather(report& into, const watcher& watch)
      : into_(into),
        watch_(watch),
        secret_(runtime::random_bytes<32>()),
        work_(limits::storm_threads, limits::storm_jobs),
        keys_(secret_, limits::key_cache_entries),
        timer_(loop_.timers(), &weather::ticked, this) {}
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
    story_ = story(this);
    loop_.post([this] { story_.start(&weather::over, this); });
    loop_.run();
    timer_.disarm();
    into_.busy = seconds_of(loop_.busy()) / std::max(seconds_of(clock::now() - began_), 0.001);
    if (crowd_ != nullptr) crowd_->settle();
    story_ = {};
    crowd_.reset();
  }

 private:
  static runtime::task<void> story(weather* self);
  static void over(void* self) { static_cast<weather*>(self)->loop_.stop(); }
  static void ticked(void* self) { static_cast<weather*>(self)->tick(); }
  void tick();
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
  runtime::task<void> story_;
  std::unique_ptr<crowd> crowd_;
  std::size_t current_ = 0;
  runtime::time_point began_{};
  runtime::time_point looked_{};
  std::uint64_t answers_seen_ = 0;
  bool finishing_ = false;
  runtime::time_point finish_by_{};
};

/// One path after the other is probed; then they take turns until each has had its time.
runtime::task<void> weather::story(weather* self) {
  auto& reports = self->into_.paths;
  for (std::size_t i = 0; i < reports.size(); ++i) {
    self->current_ = i;
    auto there = co_await probe(self->paths_[i].get(), &self->mixes_[i]);
    if (!there) reports[i]->failure = std::move(there.error());
    if (reports[i]->failure) co_return;
  }
  const auto turn = turn_of(self->into_.how, reports.size());
  auto left = self->into_.how.duration;
  while (left.count() > 0 && !self->finishing_) {
    for (std::size_t i = 0; i < reports.size() && !self->finishing_; ++i) {
      self->current_ = i;
      self->answers_seen_ = reports[i]->said.answer_count();
      self->crowd_ = std::make_unique<crowd>(*self->paths_[i], self->mixes_[i], std::min(turn, left));
      co_await crowd::run(self->crowd_.get());
      self->into_.held_by_memory = self->into_.held_by_memory || self->crowd_->held_by_memory();
    }
    left -= std::min(turn, left);
  }
}

progress weather::look() {
  progress made;
  const path_report& now = *into_.paths[current_];
  if (into_.paths.size() > 1) made.label = now.label;
  made.probing = crowd_ == nullptr;
  made.total = seconds_of(into_.how.duration) * static_cast<double>(into_.paths.size());
  for (const auto& each : into_.paths) {
    made.elapsed += seconds_of(each->said.length);
    made.findings += each->said.findings.total();
  }
  if (crowd_ != nullptr && !crowd_->settled()) made.elapsed += seconds_of(crowd_->elapsed());
  made.elapsed = std::min(made.elapsed, made.total);
  made.clients = crowd_ == nullptr ? 1 : crowd_->wanted();
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
    if (crowd_ != nullptr) crowd_->stop();
  }
  if (wanted == wish::end || crowd_ == nullptr || clock::now() >= finish_by_) loop_.stop();
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
                                                       std::move(dsns[i]), how.duration));
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
