#include "doctor/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include "base/limits.h"
#include "client/build_tls.h"
#include "doctor/checks.h"
#include "doctor/comparison.h"
#include "runtime/epoll_loop.h"
#include "runtime/random.h"
#include "tls/client_context.h"

namespace trunkline::doctor {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

milliseconds elapsed(clock::time_point began) {
  return std::chrono::duration_cast<milliseconds>(clock::now() - began);
}

/// Why a check cannot begin; nothing where it can.
std::optional<std::string> lacks(const check& which, const examination& of) {
  if (which.needs >= need::address && of.target.family() == 0) return "nobody accepted a connection";
  if (which.needs >= need::login && of.known.login_failure) return "no login: " + *of.known.login_failure;
  if (which.needs >= need::login && of.known.server_version.empty()) return "no login was tried";
  if (which.needs >= need::login && !of.known.died.empty()) return "the path died before";
  return std::nullopt;
}

/// The loop, and what runs on it. Owner: `examine`.
class surgery {
 public:
  surgery(const settings& how, report& into, const watcher& watch)
      : how_(how),
        into_(into),
        watch_(watch),
        secret_(runtime::random_bytes<32>()),
        work_(limits::doctor_threads, limits::doctor_jobs),
        keys_(secret_, limits::key_cache_entries),
        timer_(loop_.timers(), [](void* self) { static_cast<surgery*>(self)->tick(); }, this) {}
  /// Jobs report to the loop, which is the younger one.
  ~surgery() { work_.stop(); }
  surgery(const surgery&) = delete;
  surgery& operator=(const surgery&) = delete;

  result<> admit(const std::vector<client::conninfo>& dsns) {
    const auto any = tls::client_context::build({}, std::chrono::system_clock::now());
    if (!any) return fail(any.error());
    const auto random = runtime::random_bytes<8>();
    const std::string run =
        fmt::format("trunkline doctor {:08x}{:08x}", load_u32(random.data()), load_u32(random.data() + 4));
    for (std::size_t i = 0; i < dsns.size(); ++i) {
      auto tls = client::build_tls(dsns[i]);
      if (!tls) return fail(std::move(tls.error()));
      auto one = std::make_unique<examination>();
      one->where = &loop_;
      one->work = &work_;
      one->keys = &keys_;
      one->how = &how_;
      one->dsn = &dsns[i];
      one->tls = std::move(*tls);
      one->any_tls = *any;
      one->label = std::string(1, static_cast<char>('A' + i));
      one->run = run;
      into_.paths.push_back({.label = one->label, .target = dsns[i].text(), .known = {}, .checks = {}});
      patients_.push_back(std::move(one));
    }
    checks_ = checks_for(how_);
    return {};
  }

  void run() {
    timer_.arm(clock::now() + limits::doctor_tick);
    story_ = story(this);
    loop_.post([this] { story_.start([](void* self) { static_cast<surgery*>(self)->loop_.stop(); }, this); });
    loop_.run();
    timer_.disarm();
    const bool is_over = finished_;
    if (!is_over) leave_unfinished();
    story_ = {};
    for (std::size_t i = 0; i < patients_.size(); ++i)
      into_.paths[i].known = std::move(patients_[i]->known);
  }

 private:
  static runtime::task<void> story(surgery* self) {
    for (std::size_t i = 0; i < self->patients_.size(); ++i) {
      self->path_ = i;
      for (const check* each : self->checks_) {
        self->began_ = clock::now();
        self->at_ = each;
        judgements said = co_await ask(self->patients_[i].get(), each);
        self->into_.paths[i].checks.push_back({each, std::move(said), elapsed(self->began_)});
      }
    }
    self->finished_ = true;
  }

  static runtime::task<judgements> ask(examination* of, const check* which) {
    if (auto why = lacks(*which, *of)) co_return judgements{could_not_tell(std::move(*why))};
    judgements said = co_await which->run(of);
    co_return co_await unless_dead(of, which, std::move(said));
  }

  /// Each check that did not come to its end says so.
  void leave_unfinished() {
    into_.interrupted = true;
    for (auto& path : into_.paths)
      for (std::size_t i = path.checks.size(); i < checks_.size(); ++i)
        path.checks.push_back({checks_[i], {could_not_tell("it was interrupted")}, milliseconds(0)});
  }

  void tick() {
    timer_.arm(loop_.now() + limits::doctor_tick);
    if (!watch_(look())) loop_.stop();
  }

  progress look() const {
    progress made;
    if (into_.paths.size() > 1) made.label = into_.paths[path_].label;
    if (at_ != nullptr) made.title = at_->title;
    made.total = checks_.size() * into_.paths.size();
    for (const auto& path : into_.paths) {
      made.done += path.checks.size();
      for (const auto& each : path.checks)
        made.findings += static_cast<std::size_t>(std::ranges::count_if(
            each.said, [](const judgement& one) { return one.is == verdict::finding; }));
    }
    return made;
  }

  const settings& how_;
  report& into_;
  const watcher& watch_;
  const std::array<std::byte, 32> secret_;
  runtime::epoll_loop loop_;
  runtime::work_pool work_;
  auth::key_cache keys_;
  std::vector<std::unique_ptr<examination>> patients_;
  std::vector<const check*> checks_;
  runtime::timer timer_;
  runtime::task<void> story_;
  std::size_t path_ = 0;
  const check* at_ = nullptr;
  clock::time_point began_{};
  bool finished_ = false;
};

}  // namespace

bool report::clean() const {
  const auto is_finding = [](const judgement& one) { return one.is == verdict::finding; };
  for (const auto& path : paths)
    for (const auto& each : path.checks)
      if (std::ranges::any_of(each.said, is_finding)) return false;
  return !interrupted && std::ranges::none_of(compared, is_finding);
}

result<report> examine(const settings& how, const std::vector<client::conninfo>& dsns, const watcher& watch) {
  report made;
  made.began = std::chrono::system_clock::now();
  const auto began = clock::now();
  try {
    surgery room(how, made, watch);
    if (auto ready = room.admit(dsns); !ready) return fail(std::move(ready.error()));
    room.run();
  } catch (const std::system_error& wrong) {
    return fail({.code = sqlstates::internal_error, .message = wrong.what()});
  }
  made.compared = compare(made.paths);
  made.took = elapsed(began);
  return made;
}

}  // namespace trunkline::doctor
