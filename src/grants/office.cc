#include "grants/office.h"

#include <algorithm>
#include <utility>

#include "base/limits_kubernetes.h"

namespace trunkline::grants {

namespace {

/// How often the store forgets what is over.
constexpr std::chrono::minutes forget_every{1};

/// A clock that differs by less is not asked again at once.
constexpr std::chrono::milliseconds look_least{10};

/// With when it ends, by the monotonic clock.
standing standing_of(const record& of, wall_time now) {
  const wall_time ends = of.now == state::open ? of.answer_by : of.until;
  return {.of = of,
          .ends = std::chrono::steady_clock::now() + std::max(std::chrono::milliseconds(0), ends - now)};
}

}  // namespace

void stay::state::set(standing next) {
  std::lock_guard lock(mutex);
  now = std::move(next);
  if (changed) changed();
}

bool stay::state::is_gone() {
  std::lock_guard lock(mutex);
  return gone;
}

stay::~stay() {
  {
    std::lock_guard lock(state_->mutex);
    state_->changed = nullptr;
    state_->gone = true;
  }
  office_.leave(state_);
}

standing stay::now() const {
  std::lock_guard lock(state_->mutex);
  return state_->now;
}

void stay::listen(listener changed) {
  std::lock_guard lock(state_->mutex);
  state_->changed = std::move(changed);
}

office::office(parts with)
    : kept_(std::move(with.kept)),
      desk_(*kept_, std::move(with.gateway)),
      tell_(std::move(with.tell)),
      log_(with.log),
      clock_(with.clock ? std::move(with.clock) : [this] { return kept_->now(); }),
      grant_over_(std::move(with.grant_over)),
      question_of_(std::move(with.question_of)),
      refused_one_(std::move(with.refused)),
      is_told_(kept_->listen([this] { poke(); })),
      thread_("access", [this] { serve(); }) {}

office::~office() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
  kept_->listen(nullptr);
}

void office::poke() {
  {
    std::lock_guard lock(mutex_);
    poked_ = true;
  }
  changed_.notify_one();
}

bool office::hand_in(errand what) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || errands_.size() >= limits::access_errands) return false;
    errands_.push_back(std::move(what));
  }
  changed_.notify_one();
  return true;
}

std::unique_ptr<stay> office::ask(question what, stay::listener changed) {
  auto shared = std::make_shared<stay::state>();
  shared->changed = std::move(changed);
  const bool taken = hand_in([this, shared, what = std::move(what)](desk& at, wall_time now) {
    answer_session(at, shared, what, now);
  });
  if (!taken) shared->now.why = refusal{refusal::kind::limit, "too many requests wait for the store"};
  return std::unique_ptr<stay>(new stay(*this, std::move(shared)));
}

void office::leave(std::shared_ptr<stay::state> who) {
  // Past the bound too: there are no more of these than sessions.
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    errands_.push_back(
        [this, who = std::move(who)](desk& at, wall_time now) { forget_session(at, who, now); });
  }
  changed_.notify_one();
}

void office::answer_session(desk& at, const std::shared_ptr<stay::state>& who, const question& what,
                            wall_time now) {
  if (who->is_gone()) return;
  auto got = at.ask(what, now);
  if (!got) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return who->set({.why = std::move(got.error())});
  }
  who->id = got->id;
  sessions_[got->id].push_back(who);
  who->set(standing_of(*got, now));
}

void office::forget_session(desk& at, const std::shared_ptr<stay::state>& who, wall_time now) {
  const auto same = sessions_.find(who->id);
  if (same == sessions_.end()) return;
  std::erase(same->second, who);
  if (!same->second.empty()) return;
  const bool stays = leaving_.load();
  sessions_.erase(same);
  const auto left = at.leave(who->id, stays, now);
  if (!left && left.error().what == refusal::kind::unavailable)
    log_.write(telemetry::log_level::warning, "access", "a request that nobody waits for stays open",
               {{"request", who->id}});
}

/// Until it has to look of itself.
std::chrono::milliseconds office::patience() {
  if (!is_told_) return limits::access_look;
  if (!works_.load()) return limits::k8s_look;  // what is due stays so until it can be written
  const auto due = desk_.next_due();
  const auto left = due ? *due - clock_() : limits::k8s_look;
  return std::clamp<std::chrono::milliseconds>(left, look_least, limits::k8s_look);
}

bool office::do_errands() {
  std::deque<errand> todo;
  bool over = false;
  const auto at_most = patience();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, at_most, [this] { return stopping_ || poked_ || !errands_.empty(); });
    todo.swap(errands_);
    poked_ = false;
    over = stopping_;
  }
  for (errand& each : todo)
    each(desk_, clock_());
  return !over;
}

template <class T>
bool office::worked(const stored<T>& what) {
  if (!what && problem_.empty()) problem_ = what.error().message;
  return what.has_value();
}

/// Logs when the store stops working, and when it works again.
void office::report() {
  if (auto why = kept_->problem(); !why.empty()) problem_ = std::move(why);
  const bool works = problem_.empty();
  const std::string problem = std::exchange(problem_, {});
  if (works_.exchange(works) == works) return;
  if (works) {
    log_.write(telemetry::log_level::info, "access", "the store of requests works again");
  } else {
    log_.write(telemetry::log_level::error, "access", "the store of requests does not work: " + problem);
  }
}

/// What others have written reaches the sessions here.
void office::look(wall_time now) {
  // What cannot be written keeps nobody from hearing of what others have written.
  worked(desk_.sweep(now));
  worked(desk_.judge(now));
  look_at_wishes(now);
  const auto fresh = desk_.refresh(now);
  if (!worked(fresh)) return;
  for (const record& each : *fresh) {
    if (const auto concerned = sessions_.find(each.id); concerned != sessions_.end()) {
      for (const auto& who : concerned->second)
        who->set(standing_of(each, now));
    }
    if (grant_over_ && each.is_grant() && !is_live(each.now)) grant_over_(each);
  }
  open_.store(desk_.open_requests(), std::memory_order_relaxed);
  active_.store(desk_.active_grants(), std::memory_order_relaxed);
}

/// What people have put into the store becomes requests, or is refused. Where it cannot, the rest waits.
void office::look_at_wishes(wall_time now) {
  if (!question_of_) return;
  const auto all = kept_->wishes();
  if (!worked(all)) return;
  for (const wish& each : *all) {
    auto asked = question_of_(each);
    if (asked) asked->place = each.place;
    const auto got = asked ? desk_.ask(*asked, now) : answer<record>(std::unexpected(asked.error()));
    if (got) continue;
    if (got.error().what == refusal::kind::unavailable) return;
    refused_.fetch_add(1, std::memory_order_relaxed);
    if (!worked(kept_->refuse(each, got.error().message))) return;
  }
}

void office::look_after_store(wall_time now) {
  // Also where the clock was set back.
  const auto is_due = [&](wall_time last, auto every) { return now - last >= every || now < last; };
  if (is_due(alive_told_, limits::access_alive) && worked(desk_.tell_alive(now + limits::access_silent)))
    alive_told_ = now;
  if (is_due(forgot_, forget_every) && worked(desk_.forget(now - limits::access_record_age))) forgot_ = now;
}

void office::deliver() {
  for (const change& each : desk_.take_changes()) {
    changes_[static_cast<std::size_t>(each.what)].fetch_add(1, std::memory_order_relaxed);
    tell_(each);
  }
  for (const auto& [of, what] : desk_.take_refused()) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    if (refused_one_) refused_one_(of, what);
  }
}

void office::serve() {
  worked(desk_.begin());
  for (bool goes_on = true; goes_on;) {
    look_after_store(clock_());
    goes_on = do_errands();
    look(clock_());
    deliver();
    report();
  }
}

office::figures office::seen() const {
  figures made{.refused = refused_.load(std::memory_order_relaxed),
               .open = open_.load(std::memory_order_relaxed),
               .active = active_.load(std::memory_order_relaxed),
               .works = works_.load(std::memory_order_relaxed)};
  for (std::size_t i = 0; i < change_kinds; ++i)
    made.changes[i] = changes_[i].load(std::memory_order_relaxed);
  return made;
}

}  // namespace trunkline::grants
