#include "pool/link_shelf.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/prefetch.h"
#include "pool/link_pool.h"
#include "protocol/query_messages.h"
#include "runtime/random.h"

namespace trunkline::pool {

namespace {

/// Connections that are on their way to a worker because of how long its clients wait. With one, they catch
/// up late; with all, the others wait while nobody uses them (docs/decisions/0035).
constexpr int sent_at_once = 2;

/// The connections that are made together do not end together.
runtime::duration lifetime_of(runtime::duration most) {
  return most - most / 10 * std::to_integer<int>(runtime::random_bytes<1>()[0]) / 255;
}

}  // namespace

claim::~claim() {
  if (at_ != nullptr) at_->give_up(*this);
}

link_shelf::link_shelf(link_pool& of, runtime::loop& where, unsigned worker)
    : pool_(of),
      loop_(where),
      worker_(worker),
      patience_(
          where.timers(), [](void* self) { static_cast<link_shelf*>(self)->patience_over(); }, this),
      care_(
          where.timers(), [](void* self) { static_cast<link_shelf*>(self)->look_after(); }, this),
      retry_(
          where.timers(), [](void* self) { static_cast<link_shelf*>(self)->find_more(); }, this),
      serving_(where, [](void* self) { static_cast<link_shelf*>(self)->serve(); }, this) {}

link_shelf::~link_shelf() {
  close();
}

void link_shelf::close() {
  if (std::exchange(closed_, true)) return;
  for (auto* each : {&patience_, &care_, &retry_})
    each->disarm();
  serving_.cancel();
  evict([](const link&) { return true; });
  for (auto& each : openings_)
    loop_.dispose(std::move(each));
  pool_.leave(openings_.size() + resets_.size());
  openings_.clear();
  resets_.clear();
  opening_count_.store(0, std::memory_order_relaxed);
  resetting_count_.store(0, std::memory_order_relaxed);
  refuse_all({.why = {.code = sqlstates::cannot_connect_now, .message = "the gateway is shutting down"}});
}

// ---- taking and giving ----

std::unique_ptr<link> link_shelf::take(claim& who) {
  if (first_ == nullptr) {
    while (auto made = pop_idle()) {
      if (fits(*made)) {
        ++made->sessions;
        note_shortage();
        return made;
      }
      bury(std::move(made), true);
    }
  }
  join(who);
  find_more();
  return nullptr;
}

void link_shelf::give_up(claim& who) {
  part(who);
}

bool link_shelf::fits(const link& which) const {
  return !which.unfit && which.generation == pool_.generation() && loop_.now() < which.retires_at &&
         !which.lease.on()->held.load(std::memory_order_relaxed) && pool_.open() <= pool_.size();
}

void link_shelf::give_back(std::unique_ptr<link> used) {
  used->used = loop_.now();
  if (closed_ || !fits(*used) || pool_.pays()) {
    bury(std::move(used), true);
    return find_more();
  }
  const auto margin = (used->retires_at - used->born) / 20;
  if (!used->replaced && loop_.now() + margin > used->retires_at &&
      pool_.enter(loop_.now()) == entering::done) {
    used->replaced = true;
    open_one();
  }
  link_shelf* const other = pool_.waits_longest(*this);
  if (other != nullptr && (first_ == nullptr || starves(*other)) && pool_.send(used, *this, *other)) return;
  if (first_ != nullptr) return grant(std::move(used));
  rest(std::move(used));
}

/// Who waits there has waited noticeably longer than who waits here, and few are on their way to them: a
/// worker that the system does not let run looks just like one that has too few, and would be given all there
/// are.
bool link_shelf::starves(const link_shelf& other) const {
  const auto theirs = other.first_since();
  if (!theirs || other.sent_here_.load(std::memory_order_relaxed) >= sent_at_once) return false;
  const auto now = loop_.now();
  return now - *theirs > (now - first_->since_) * 5 / 4 + limits::pool_unfairness;
}

void link_shelf::arrived(std::unique_ptr<link> from_elsewhere) {
  if (closed_ || !fits(*from_elsewhere)) return bury(std::move(from_elsewhere), true);
  if (first_ != nullptr) return grant(std::move(from_elsewhere));
  rest(std::move(from_elsewhere));
}

void link_shelf::grant(std::unique_ptr<link> made) {
  claim& next = *first_;
  part(next);
  ++made->sessions;
  note_shortage();
  look_ahead();
  next.granted(std::move(made));
}

/// Whoever is told that its turn nears was itself brought near by the turn before.
void link_shelf::look_ahead() {
  claim* at = first_;
  for (unsigned others = 0; at != nullptr && others < 4; ++others, at = at->next_)
    at->nears(others);
  if (at != nullptr) prefetch(at, sizeof(claim));
}

void link_shelf::rest(std::unique_ptr<link> made) {
  made->rest_at(*this);
  idle_.push_back(std::move(made));
  idle_count_.store(idle_.size());
  arm_care();
  // Somebody may have looked here a moment ago, and found nothing.
  if (pool_.waits_longest(*this) != nullptr) serving_.schedule();
}

void link_shelf::serve() {
  while (!idle_.empty()) {
    link_shelf* other = pool_.waits_longest(*this);
    if (other == nullptr) return;
    const std::size_t before = idle_.size();
    lend_to(*other);
    if (idle_.size() >= before) return;
  }
}

void link_shelf::lend_to(link_shelf& other) {
  if (first_ != nullptr || other.waiting() == 0) return;
  auto made = pop_idle();
  if (made == nullptr) return;
  if (!fits(*made)) return bury(std::move(made), true);
  if (pool_.send(made, *this, other)) return;
  rest(std::move(made));
}

std::unique_ptr<link> link_shelf::pop_idle() {
  if (idle_.empty()) return nullptr;
  auto made = std::move(idle_.back());
  idle_.pop_back();
  idle_count_.store(idle_.size());
  made->stream->pause_receiving();
  return made;
}

void link_shelf::recycle(std::unique_ptr<link> used, bool in_transaction, std::string_view statements) {
  if (closed_ || used->unfit) return discard(std::move(used));
  const auto done = [](void* opaque, link_reset& which, bool clean) {
    auto* self = static_cast<link_shelf*>(opaque);
    auto& all = self->resets_;
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.get() == &which; });
    auto link = which.take();
    self->loop_.dispose(std::move(*at));
    all.erase(at);
    self->resetting_count_.store(all.size(), std::memory_order_relaxed);
    if (!clean) return self->discard(std::move(link));
    self->give_back(std::move(link));
  };
  used->unnamed = {};  // any simple query ends it
  if (!statements.empty()) {
    used->settings.clear();
    if (statements.starts_with("DISCARD ALL")) {
      used->prepared.clear();
      used->sequences_of = used->tainted_by = 0;
    }
  }
  resets_.push_back(std::make_unique<link_reset>(loop_, std::move(used), done, this));
  resetting_count_.store(resets_.size(), std::memory_order_relaxed);
  resets_.back()->start(in_transaction, statements);
}

void link_shelf::discard(std::unique_ptr<link> used) {
  bury(std::move(used), false);
  if (!closed_) find_more();
}

void link_shelf::lost(link& which) {
  const auto at =
      std::find_if(idle_.begin(), idle_.end(), [&](const auto& each) { return each.get() == &which; });
  if (at == idle_.end()) return;
  auto dead = std::move(*at);
  idle_.erase(at);
  idle_count_.store(idle_.size());
  pool_.source()->of->suspect(dead->lease.on()->id);
  bury(std::move(dead), false);
}

void link_shelf::bury(std::unique_ptr<link> dead, bool say_goodbye) {
  if (say_goodbye) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    for (auto& part : loop_.buffers().copies(goodbye))
      dead->stream->send(std::move(part));
  }
  dead->stream->close();
  loop_.dispose(std::move(dead->stream));
  loop_.dispose(std::move(dead));  // it may be the handler that this was called from
  pool_.leave(1);
  if (!closed_) pool_.tell_of_room(*this);
}

void link_shelf::evict(const std::function<bool(const link&)>& which) {
  std::vector<std::unique_ptr<link>> kept;
  for (auto& each : std::exchange(idle_, {})) {
    if (which(*each)) {
      bury(std::move(each), true);
    } else {
      kept.push_back(std::move(each));
    }
  }
  idle_ = std::move(kept);
  idle_count_.store(idle_.size());
}

void link_shelf::for_each_spare(const std::function<void(const link& which, bool idle)>& visit) const {
  for (const auto& each : idle_)
    visit(*each, true);
  for (const auto& each : resets_)
    visit(each->which(), false);
}

// ---- the line ----

std::optional<runtime::time_point> link_shelf::first_since() const {
  const auto ns = first_since_ns_.load();
  if (ns == 0) return std::nullopt;
  return runtime::time_point(std::chrono::nanoseconds(ns));
}

void link_shelf::note_first() {
  first_since_ns_.store(first_ == nullptr ? 0 : first_->since_.time_since_epoch().count());
}

void link_shelf::join(claim& who) {
  who.at_ = this;
  who.since_ = loop_.now();
  who.previous_ = last_;
  who.next_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_) = &who;
  last_ = &who;
  waiting_count_.fetch_add(1, std::memory_order_relaxed);
  waits_.fetch_add(1, std::memory_order_relaxed);
  if (first_ == &who) note_first();
  if (!patience_.armed()) patience_.arm(first_->since_ + pool_.source()->upstream->max_wait);
}

void link_shelf::part(claim& who) {
  const auto waited = loop_.now() - who.since_;
  pool_.group().counts(worker_).wait_seconds.record(waited);
  waited_us_.fetch_add(
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(waited).count()),
      std::memory_order_relaxed);
  const bool was_first = first_ == &who;
  (who.previous_ == nullptr ? first_ : who.previous_->next_) = who.next_;
  (who.next_ == nullptr ? last_ : who.next_->previous_) = who.previous_;
  who.at_ = nullptr;
  who.previous_ = who.next_ = nullptr;
  waiting_count_.fetch_sub(1, std::memory_order_relaxed);
  if (was_first) note_first();
}

void link_shelf::patience_over() {
  const auto patience = pool_.source()->upstream->max_wait;
  while (first_ != nullptr && first_->since_ + patience <= loop_.now()) {
    claim& late = *first_;
    part(late);
    late.refused(too_late());
  }
  if (first_ != nullptr) patience_.arm(first_->since_ + patience);
}

connect_failure link_shelf::too_late() const {
  const std::size_t open = pool_.open();
  const bool shared = open < pool_.size() && pool_.group().budget().has_bounds();
  return {.why = {.reaction = error_reaction::retry,
                  .code = sqlstates::too_many_connections,
                  .message = "no server connection became free in " +
                             std::to_string(pool_.source()->upstream->max_wait.count()) + " ms: all " +
                             std::to_string(shared ? open : pool_.size()) + " of pool " +
                             pool_.who().database + "/" + pool_.who().user + " are in use" +
                             (shared ? ", and the upstream's pools may have no more" : ""),
                  .hint = shared ? "The upstream's pool.maxConnections and pool.perUser set how many all its "
                                   "pools may have, pool.maxWait how long clients wait."
                                 : "The upstream's pool.size and pool.maxWait set how many there are and how "
                                   "long clients wait."},
          .what = connect_failure::kind::crowded};
}

void link_shelf::refuse_all(const connect_failure& why) {
  while (first_ != nullptr) {
    claim& next = *first_;
    part(next);
    next.refused(why);
  }
}

// ---- more of them ----

void link_shelf::find_more() {
  if (closed_) return;
  while (openings_.size() < waiting() && !retry_.armed() && may_open())
    open_one();
  if (first_ != nullptr) pool_.ask_others(*this);
}

bool link_shelf::may_open() {
  const entering said = pool_.enter(loop_.now());
  if (said == entering::no_room) retry_.arm(loop_.now() + limits::pool_room_retry);
  return said == entering::done;
}

/// Another pool has given a connection, so that this one may open one.
void link_shelf::use_place() {
  retry_.disarm();
  find_more();
  pool_.pass_on();
}

/// What is idle goes as far as another pool is to have its place, the oldest first.
void link_shelf::pay() {
  while (!idle_.empty() && pool_.pays()) {
    auto given = std::move(idle_.front());
    idle_.erase(idle_.begin());
    idle_count_.store(idle_.size());
    bury(std::move(given), true);
  }
}

/// Precondition: the pool has been entered.
void link_shelf::open_one() {
  openings_.push_back(std::make_unique<link_opening>(loop_, pool_.source()));
  opening_count_.store(openings_.size(), std::memory_order_relaxed);
  openings_.back()->start(
      [](void* self, link_opening& which, link_opening::outcome result) {
        static_cast<link_shelf*>(self)->opened(which, std::move(result));
      },
      this);
}

void link_shelf::opened(link_opening& which, link_opening::outcome result) {
  const auto at = std::find_if(openings_.begin(), openings_.end(),
                               [&](const auto& each) { return each.get() == &which; });
  loop_.dispose(std::move(*at));
  openings_.erase(at);
  opening_count_.store(openings_.size(), std::memory_order_relaxed);
  if (result) {
    retry_after_ = {};
    ready_after_ = {};
    const auto lifetime = pool_.source()->upstream->pool.max_lifetime;
    (*result)->retires_at =
        lifetime.count() == 0 ? runtime::time_point::max() : loop_.now() + lifetime_of(lifetime);
    (*result)->generation = pool_.generation();
    (*result)->number = pool_.group().next_link();
    return arrived(std::move(*result));
  }
  pool_.leave(1);
  if (pool_.open() == 0) refuse_all(result.error());
  pool_.tell_of_room(*this);
  retry_after_ = std::clamp<runtime::duration>(retry_after_ * 2, limits::pool_retry, limits::pool_retry_most);
  ready_after_ = loop_.now() + retry_after_;
  if (first_ == nullptr) return;
  // Others are there, or on their way: whoever waits may still be served.
  retry_.arm(loop_.now() + retry_after_);
}

// ---- what grows old ----

void link_shelf::arm_care() {
  if (care_.armed() || closed_) return;
  const auto unused = pool_.source()->upstream->pool.idle_timeout;
  auto due = runtime::time_point::max();
  for (const auto& each : idle_) {
    due = std::min(due, each->retires_at);
    if (unused.count() > 0) due = std::min(due, each->used + unused);
  }
  if (due != runtime::time_point::max()) care_.arm(std::max(due, loop_.now() + limits::pool_care));
}

void link_shelf::look_after() {
  const auto source = pool_.source();
  const auto unused = source->upstream->pool.idle_timeout;
  const auto now = loop_.now();
  // Without clients nothing is kept ready, so that a pool that nobody wants any more comes to its end.
  const std::size_t kept = pool_.clients() > 0 ? source->upstream->pool.min_idle : 0;
  std::size_t may_go = pool_.open() > kept ? pool_.open() - kept : 0;
  evict([&](const link& each) {
    if (!fits(each)) return true;
    if (unused.count() == 0 || each.used + unused > now || may_go == 0) return false;
    --may_go;
    return true;
  });
  if (!keep_ready()) note_shortage();
  arm_care();
}

/// There may be fewer idle connections than `pool.minIdle`: that is looked into soon, and once for many.
void link_shelf::note_shortage() {
  if (pool_.min_idle() == 0 || closed_) [[likely]]
    return;
  const auto soon = loop_.now() + limits::pool_care;
  if (!care_.armed() || care_.deadline() > soon) care_.arm(soon);
}

/// `pool.minIdle`. False: it must be tried again.
bool link_shelf::keep_ready() {
  const std::size_t wanted = pool_.clients() > 0 ? pool_.min_idle() : 0;
  if (wanted == 0 || closed_) return true;
  if (loop_.now() < ready_after_) return false;
  for (auto figures = pool_.figures(); figures.idle + figures.opening < wanted; ++figures.opening) {
    // Whoever gives a connection back, or takes one, looks again.
    if (pool_.enter(loop_.now()) != entering::done) return true;
    open_one();
  }
  return true;
}

}  // namespace trunkline::pool
