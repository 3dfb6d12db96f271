#include "storm/crowd.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "runtime/unique_fd.h"

namespace trunkline::storm {
namespace {

using clock = std::chrono::steady_clock;

}  // namespace

/// proc(5), statm: all of it, and then what is resident, in pages.
std::uint64_t resident_bytes() {
  const runtime::unique_fd file(::open("/proc/self/statm", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t got = file ? ::read(file.get(), text.data(), text.size()) : 0;
  std::string_view rest(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  std::uint64_t pages = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), pages);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

crowd::crowd(path& of, const workload_mix& mix, std::chrono::milliseconds duration, runtime::signal& changed)
    : path_(&of),
      mix_(mix),
      duration_(duration),
      rules_(of.how->login_rate),
      changed_(&changed),
      timer_(of.where->timers(), &crowd::ticked, this) {
  rules_.short_lived = of.how->short_lived;
  rules_.changed = &changed;
  rules_.in_turn = false;
  rules_.began = clock::now();
  still_since_ = rules_.began;
}

crowd::~crowd() = default;

microseconds crowd::elapsed() const {
  return std::chrono::duration_cast<microseconds>(still_since_.value_or(clock::now()) - rules_.began);
}

void crowd::take_turn() {
  const auto now = clock::now();
  if (still_since_) rules_.began += now - *still_since_;
  still_since_.reset();
  rules_.gate.forget();
  rules_.in_turn = true;
  wake_all();
  tick();
}

void crowd::end_turn() {
  rules_.in_turn = false;
  wake_all();
}

void crowd::stand_still() {
  timer_.disarm();
  still_since_ = clock::now();
}

void crowd::settle() {
  timer_.disarm();
  path_->said->length = elapsed();
  path_->said->over_time.tick(elapsed(), 0, true);
}

void crowd::ticked(void* self) {
  static_cast<crowd*>(self)->tick();
}

void crowd::tick() {
  timer_.arm(path_->where->now() + limits::storm_tick);
  path_->said->over_time.tick(elapsed(), living_ == 0 ? 0 : rules_.wanted);
  if (rules_.stopping || !rules_.in_turn) return;
  const std::size_t count = clients_at(path_->how->shape, path_->how->clients, elapsed(), duration_);
  const bool held = count > rules_.wanted && resident_bytes() > path_->how->memory_bytes;
  held_by_memory_ = held_by_memory_ || held;
  want(held ? rules_.wanted : count);
}

void crowd::want(std::size_t count) {
  const std::size_t before = rules_.wanted;
  rules_.wanted = count;
  path_->said->most_clients = std::max(path_->said->most_clients, count);
  while (members_.size() < count)
    add_client();
  for (std::size_t i = std::min(before, count); i < std::max(before, count) && i < members_.size(); ++i)
    members_[i]->who->wake();
}

void crowd::add_client() {
  const auto number = static_cast<std::uint32_t>(members_.size());
  auto one = std::make_unique<member>();
  one->of = this;
  one->who = std::make_unique<client>(*path_, rules_, number, mix_.of_client(number));
  one->life = client::live(one->who.get());
  ++living_;
  members_.push_back(std::move(one));
  members_.back()->life.start(&crowd::one_left, members_.back().get());
}

void crowd::one_left(void* of) {
  crowd* self = static_cast<member*>(of)->of;
  --self->living_;
  self->changed_->raise();
}

void crowd::wake_all() {
  for (const auto& each : members_)
    each->who->wake();
}

void crowd::stop() {
  rules_.stopping = true;
  wake_all();
  changed_->raise();
}

}  // namespace trunkline::storm
