#include "pool/name_watch.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "runtime/deadline.h"

namespace trunkline::pool {

name_watch::name_watch(runtime::loop& where, runtime::work_pool& work, question asked,
                       void (*on_change)(void*), void* context)
    : loop_(where),
      work_(work),
      asked_(std::move(asked)),
      on_change_(on_change),
      context_(context),
      changed_(where),
      task_(go_on(this)) {
  task_.start([](void*) {}, this);
}

void name_watch::ask_now() {
  wanted_now_ = true;
  changed_.raise();
}

name_watch::answer name_watch::look_up(const question& asked) {
  const net::dns_options options{.resolver = asked.resolver, .timeout = limits::dns_timeout};
  if (asked.what == record::services) {
    auto found = net::look_up_services(asked.name, options);
    return found ? answer(std::move(*found)) : answer(std::move(found.error()));
  }
  auto found = net::look_up_addresses(asked.name, asked.port, options);
  return found ? answer(std::move(*found)) : answer(std::move(found.error()));
}

runtime::task<> name_watch::go_on(name_watch* self) {
  for (;;) {
    self->wanted_now_ = false;
    runtime::duration good_for = limits::dns_retry;
    runtime::job<answer> lookup(self->loop_, self->work_, self->changed_);
    if (lookup.start([asked = self->asked_] { return look_up(asked); })) {
      while (!lookup.done())
        co_await self->changed_.wait();
      good_for = self->take(lookup.take());
      self->on_change_(self->context_);
    }
    runtime::deadline deadline(self->loop_, self->changed_, good_for);
    while (!deadline.passed() && !self->wanted_now_)
      co_await self->changed_.wait();
  }
}

runtime::duration name_watch::take(answer came) {
  answered_ = true;
  if (auto* failed = std::get_if<net::dns_failure>(&came)) {
    ++failures_;
    problem_ = std::move(failed->why.message);
    return limits::dns_retry;
  }
  problem_.clear();
  std::chrono::seconds ttl{0};
  if (auto* found = std::get_if<net::dns_addresses>(&came)) {
    addresses_ = std::move(found->addresses);
    ttl = found->ttl;
  } else if (auto* services = std::get_if<net::dns_services>(&came)) {
    services_ = std::move(services->services);
    ttl = services->ttl;
  }
  return std::clamp(ttl, limits::dns_ttl_least, limits::dns_ttl_most);
}

}  // namespace trunkline::pool
