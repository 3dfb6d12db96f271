#include <algorithm>

#include "base/limits.h"
#include "base/seconds.h"
#include "config/enum_names.h"
#include "net/socket_address.h"
#include "pool/link_pool.h"
#include "session/observer.h"
#include "session/pooled_server.h"

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

server_view view_of(const pool::link& of, const pool::link_pool& in, runtime::time_point now) {
  server_view seen;
  seen.number = of.number;
  seen.upstream = in.who().upstream;
  seen.database = in.origin().database;
  seen.user = in.who().user;
  seen.endpoint = of.place.address.text();
  seen.local = net::socket_address::of_self(of.stream->native_handle()).text();
  seen.tls = of.server_tls;
  seen.pid = of.server_pid;
  seen.state = "idle";
  seen.connected = std::chrono::system_clock::now() -
                   std::chrono::duration_cast<std::chrono::system_clock::duration>(now - of.born);
  seen.idle_seconds = seconds_of(now - of.used);
  seen.clients = of.sessions;
  return seen;
}

namespace {

pooled_view begin_view(config::pooling_mode mode, const pool::link_pool& of) {
  return {.mode = std::string(name_of(config::pooling_modes, mode)),
          .database = of.origin().database,
          .user = of.who().user};
}

}  // namespace

pooled_view view_of(const pooled_rest& of, config::pooling_mode mode) {
  pooled_view seen = begin_view(mode, *of.pool);
  seen.asleep = true;
  return seen;
}

pooled_view view_of(const pooled_server& of, runtime::time_point now) {
  pooled_view seen = begin_view(of.mode(), of.pool());
  seen.waits = of.waits();
  if (seen.waits) seen.wait_seconds = seconds_of(now - of.waits_since());
  if (const char* why = of.told_pin()) {
    seen.pinned = why;
    seen.pinned_seconds = seconds_of(now - of.pinned_since());
  }
  if (const pool::link* has = of.link()) {
    seen.server = view_of(*has, of.pool(), now);
    seen.server->state = "active";
    seen.server->idle_seconds = 0;
  }
  return seen;
}

std::vector<prepared_view> view_of(const pool::statement_book& of) {
  std::vector<prepared_view> all;
  for (const auto& each : of.most_used(limits::prepared_shown)) {
    all.push_back({.name = each.which->name,
                   .text = std::string(each.which->text().substr(0, limits::statement_head_bytes)),
                   .uses = each.uses,
                   .users = each.users});
  }
  return all;
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
