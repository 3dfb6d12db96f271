#include <algorithm>

#include "config/enum_names.h"
#include "pool/link_pool.h"
#include "session/observer.h"

namespace trunkline::session {

pool_view view_of(const pool::link_pool& of) {
  const pool::pool_figures now = of.figures();
  pool_view seen{.upstream = of.who().upstream,
                 .target = std::string(name_of(config::route_targets, of.who().target)),
                 .route = of.origin().route,
                 .database = of.origin().database,
                 .user = of.who().user};
  seen.cl_waiting = now.waiting;
  seen.cl_active = now.clients > now.waiting ? now.clients - now.waiting : 0;
  seen.sv_active = now.active();
  seen.sv_idle = now.idle;
  seen.sv_tested = now.resetting;
  seen.sv_login = now.opening;
  seen.maxwait_us = now.longest_wait_us;
  seen.size = now.size;
  seen.listen_missed = of.listening().missed();
  seen.waits = now.waits;
  seen.waited_us = now.waited_us;
  if (const auto source = of.source()) {
    seen.pool_mode = name_of(config::pooling_modes, source->mode);
    seen.min_idle = source->upstream->pool.min_idle;
  }
  return seen;
}

void pool_view::add(const pool_view& other) {
  for (const auto field :
       {&pool_view::cl_active, &pool_view::cl_waiting, &pool_view::sv_active, &pool_view::sv_idle,
        &pool_view::sv_tested, &pool_view::sv_login, &pool_view::size, &pool_view::min_idle,
        &pool_view::listen_missed, &pool_view::waits, &pool_view::waited_us})
    this->*field += other.*field;
  maxwait_us = std::max(maxwait_us, other.maxwait_us);
}

}  // namespace trunkline::session
