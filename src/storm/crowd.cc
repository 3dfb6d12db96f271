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

crowd::crowd(path& of, const workload_mix& mix, std::chrono::milliseconds duration)
    : path_(&of),
      mix_(mix),
      duration_(duration),
      rules_(of.how->login_rate),
      changed_(*of.where),
      timer_(of.where->timers(), &crowd::ticked, this) {
  rules_.short_lived = of.how->short_lived;
}

crowd::~crowd() = default;

microseconds crowd::elapsed() const {
  return std::chrono::duration_cast<microseconds>(clock::now() - began_);
}

runtime::task<void> crowd::run(crowd* self) {
  self->began_ = clock::now();
  self->rules_.began = self->began_ - self->path_->said->length;
  self->tick();
  while (!self->rules_.stopping || self->living_ > 0)
    co_await self->changed_.wait();
  self->settle();
}

void crowd::settle() {
  if (std::exchange(settled_, true)) return;
  timer_.disarm();
  path_->said->length += elapsed();
  path_->said->over_time.tick(path_->said->length, 0, true);
}

void crowd::ticked(void* self) {
  static_cast<crowd*>(self)->tick();
}

void crowd::tick() {
  timer_.arm(path_->where->now() + limits::storm_tick);
  tally& said = *path_->said;
  said.over_time.tick(said.length + elapsed(), living_ == 0 ? 0 : rules_.wanted);
  if (rules_.stopping) return;
  if (elapsed() >= duration_) return stop();
  const std::size_t count = clients_at(path_->how->shape, path_->how->clients, elapsed(), duration_);
  held_by_memory_ = count > rules_.wanted && resident_bytes() > path_->how->memory_bytes;
  want(held_by_memory_ ? rules_.wanted : count);
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
  self->changed_.raise();
}

void crowd::stop() {
  rules_.stopping = true;
  for (const auto& each : members_)
    each->who->wake();
  changed_.raise();
}

}  // namespace trunkline::storm
