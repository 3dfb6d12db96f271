#include "pool/link_pool.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::pool {

link_pool::link_pool(pool_identity who, pool_origin origin, pool_group& group,
                     const std::vector<runtime::loop*>& workers)
    : who_(std::move(who)), origin_(std::move(origin)), group_(group) {
  for (unsigned i = 0; i < workers.size(); ++i)
    shelves_.push_back(std::make_unique<link_shelf>(*this, *workers[i], i));
  listening_ = std::make_unique<listen_hub>(*this, *workers.front());
  group_.budget().join(*this);
}

link_pool::~link_pool() {
  listening_.reset();
  shelves_.clear();
  group_.budget().part(*this);
}

void link_pool::set_source(std::shared_ptr<const link_source> newest) {
  const config::pool_limits& limits = newest->upstream->pool;
  size_.store(limits.size, std::memory_order_relaxed);
  min_idle_.store(limits.min_idle, std::memory_order_relaxed);
  group_.budget().set(limits.max_connections, limits.per_user);
  std::lock_guard lock(mutex_);
  source_ = std::move(newest);
}

std::shared_ptr<const link_source> link_pool::source() const {
  std::lock_guard lock(mutex_);
  return source_;
}

std::shared_ptr<const welcome> link_pool::find_welcome(const std::string& settings) const {
  std::lock_guard lock(mutex_);
  const auto at = welcomes_.find(settings);
  return at == welcomes_.end() ? nullptr : at->second;
}

void link_pool::keep_welcome(const std::string& settings, std::shared_ptr<const welcome> made) {
  std::lock_guard lock(mutex_);
  if (welcomes_.size() >= limits::pool_welcomes) welcomes_.clear();
  welcomes_[settings] = std::move(made);
}

entering link_pool::enter(runtime::time_point now) {
  std::size_t count = open_.load();
  do {
    if (count >= size()) return entering::full;
  } while (!open_.compare_exchange_weak(count, count + 1));
  if (group_.budget().enter(*this, now)) return entering::done;
  open_.fetch_sub(1);
  return entering::no_room;
}

void link_pool::leave(std::size_t how_many) {
  if (how_many == 0) return;
  open_.fetch_sub(how_many);
  group_.budget().leave(*this, how_many);
}

std::size_t link_pool::clients() const {
  std::size_t count = 0;
  for (const auto& each : shelves_)
    count += each->clients();
  return count;
}

link_shelf* link_pool::waits_longest(const link_shelf* but) const {
  link_shelf* longest = nullptr;
  std::optional<runtime::time_point> since;
  for (const auto& each : shelves_) {
    if (each.get() == but) continue;
    const auto theirs = each->first_since();
    if (!theirs || (since && *since <= *theirs)) continue;
    since = theirs;
    longest = each.get();
  }
  return longest;
}

void link_pool::tell_of_room(const link_shelf& from) {
  link_shelf* const other = waits_longest(from);
  if (other == nullptr) return;
  other->where().post([self = shared_from_this(), other] { other->find_more(); });
}

void link_pool::ask_others(const link_shelf& who) {
  link_shelf* most = nullptr;
  for (const auto& each : shelves_) {
    if (each.get() == &who || each->idle() == 0) continue;
    if (most == nullptr || each->idle() > most->idle()) most = each.get();
  }
  if (most == nullptr) return;
  most->where().post(
      [self = shared_from_this(), most, to = who.worker()] { most->lend_to(*self->shelves_[to]); });
}

// ---- for the budget ----

std::size_t link_pool::spare_connections() const {
  std::size_t count = 0;
  for (const auto& each : shelves_)
    count += each->idle();
  return count;
}

std::size_t link_pool::waiting_clients() const {
  std::size_t count = 0;
  for (const auto& each : shelves_)
    count += each->waiting();
  return count;
}

std::optional<runtime::time_point> link_pool::waits_since() const {
  const link_shelf* first = waits_longest(nullptr);
  return first == nullptr ? std::nullopt : first->first_since();
}

/// Where nothing is idle, the next one that is given back pays.
void link_pool::asked_to_pay() {
  for (const auto& each : shelves_) {
    if (each->idle() == 0) continue;
    auto self = weak_from_this().lock();
    if (self == nullptr) return;
    link_shelf* const idle = each.get();
    return idle->where().post([self = std::move(self), idle] { idle->pay(); });
  }
}

bool link_pool::place_is_free() {
  link_shelf* const next = waits_longest(nullptr);
  if (next == nullptr) return false;
  auto self = weak_from_this().lock();
  if (self == nullptr) return false;
  next->where().post([self = std::move(self), next] { next->use_place(); });
  return true;
}

namespace {

/// A connection on its way to another worker, which may have ended meanwhile.
struct passage {
  passage(std::shared_ptr<link_pool> of, std::unique_ptr<link> which,
          std::unique_ptr<runtime::parked_stream> stream, link_shelf& where)
      : pool(std::move(of)), moved(std::move(which)), parked(std::move(stream)), to(where) {
    to.note_sent(1);
  }
  passage(passage&&) = default;
  passage& operator=(passage&&) = delete;
  ~passage() {
    if (pool == nullptr) return;
    to.note_sent(-1);
    if (moved != nullptr) pool->leave(1);
  }
  std::shared_ptr<link_pool> pool;
  std::unique_ptr<link> moved;
  std::unique_ptr<runtime::parked_stream> parked;
  link_shelf& to;
};

}  // namespace

bool link_pool::send(std::unique_ptr<link>& which, link_shelf& from, link_shelf& to) {
  auto parked = which->stream->park();
  if (parked == nullptr) return false;
  from.where().dispose(std::move(which->stream));
  to.where().post([way = passage{shared_from_this(), std::move(which), std::move(parked), to}]() mutable {
    auto moved = std::move(way.moved);
    moved->stream = way.parked->unpark(way.to.where());
    way.to.arrived(std::move(moved));
  });
  return true;
}

pool_figures link_pool::figures() const {
  pool_figures seen{.size = size(), .open = open()};
  const auto now = std::chrono::steady_clock::now();
  for (const auto& each : shelves_) {
    seen.idle += each->idle();
    seen.opening += each->opening();
    seen.resetting += each->resetting();
    seen.clients += each->clients();
    seen.waiting += each->waiting();
    seen.waits += each->waits();
    seen.waited_us += each->waited_us();
    if (const auto since = each->first_since()) {
      const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - *since).count();
      seen.longest_wait_us =
          std::max(seen.longest_wait_us, static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0)));
    }
  }
  return seen;
}

namespace {

/// No name has a NUL in it.
std::string text_of(const pool_identity& who) {
  std::string text;
  for (const std::string_view part : {std::string_view(who.upstream), std::string_view(who.database),
                                      std::string_view(who.user), std::string_view(who.settings)})
    text.append(part).push_back('\0');
  return text + static_cast<char>('0' + static_cast<int>(who.target));
}

}  // namespace

std::shared_ptr<link_pool> link_pools::find_or_make(const pool_identity& who, const pool_origin& origin) {
  std::lock_guard lock(mutex_);
  entry& found = pools_[text_of(who)];
  if (found.pool == nullptr) {
    found.pool = std::make_shared<link_pool>(who, origin, group_of(who.upstream), workers_);
    found.number = ++last_pool_;
  }
  return found.pool;
}

/// Precondition: the mutex is held.
pool_group& link_pools::group_of(const std::string& upstream) {
  for (const auto& each : groups_)
    if (each->upstream() == upstream) return *each;
  groups_.push_back(std::make_unique<pool_group>(upstream, workers_.size(), last_link_));
  return *groups_.back();
}

std::vector<const telemetry::pool_metrics*> link_pools::counts() const {
  std::vector<const telemetry::pool_metrics*> all;
  std::lock_guard lock(mutex_);
  for (const auto& each : groups_)
    for (unsigned i = 0; i < each->workers(); ++i)
      all.push_back(&each->counts(i));
  return all;
}

std::vector<std::shared_ptr<link_pool>> link_pools::all() const {
  std::vector<std::pair<std::uint64_t, std::shared_ptr<link_pool>>> numbered;
  {
    std::lock_guard lock(mutex_);
    for (const auto& each : pools_)
      numbered.emplace_back(each.second.number, each.second.pool);
  }
  std::sort(numbered.begin(), numbered.end());
  std::vector<std::shared_ptr<link_pool>> made;
  for (auto& each : numbered)
    made.push_back(std::move(each.second));
  return made;
}

/// Precondition: the mutex is held.
bool link_pools::is_forgotten(entry& of, runtime::time_point now) {
  if (of.pool->clients() > 0 || of.pool->open() > 0) {
    of.unused_since.reset();
    return false;
  }
  if (!of.unused_since) of.unused_since = now;
  const auto source = of.pool->source();
  runtime::duration patience = limits::pool_idle;
  if (source != nullptr && source->upstream->pool.idle_timeout.count() > 0)
    patience = source->upstream->pool.idle_timeout;
  // Who is about to use it has found it under this mutex.
  return now - *of.unused_since >= patience && of.pool.use_count() == 1;
}

void link_pools::forget_unused(runtime::time_point now) {
  std::vector<std::shared_ptr<link_pool>> forgotten;
  {
    std::lock_guard lock(mutex_);
    for (auto at = pools_.begin(); at != pools_.end();) {
      if (is_forgotten(at->second, now)) {
        forgotten.push_back(std::move(at->second.pool));
        at = pools_.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (auto& each : forgotten) {
    for (unsigned i = 0; i < workers_.size(); ++i)
      workers_[i]->post([each, i] {
        each->shelf(i).close();
        if (i == 0) each->listening().close();
      });
  }
}

void link_pools::close_shelves(unsigned worker) {
  for (const auto& each : all()) {
    each->shelf(worker).close();
    if (worker == 0) each->listening().close();
  }
}

void link_pools::evict(unsigned worker, const std::function<bool(const link&)>& which) {
  for (const auto& each : all()) {
    each->shelf(worker).evict(which);
    if (worker == 0) each->listening().evict(which);
  }
}

}  // namespace trunkline::pool
