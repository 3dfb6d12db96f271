#include "pool/cluster_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "config/glob.h"

namespace trunkline::pool {

using routing::endpoint;
using routing::endpoint_state;
using routing::server_role;
using telemetry::log_level;

namespace {

constexpr std::chrono::seconds sweep_interval{1};

std::string zone_of(const config::upstream& of, const std::string& endpoint_name) {
  for (const auto& zone : of.zones) {
    for (const auto& pattern : zone.endpoints) {
      if (config::glob_match(pattern, endpoint_name)) return zone.name;
    }
  }
  return "";
}

/// Nothing about the upstream differs, whatever else does.
bool says_the_same(const watch_setup& a, const watch_setup& b) {
  return a.upstream() == b.upstream() && a.tls == b.tls && a.feed == b.feed &&
         a.options.keepalive_idle == b.options.keepalive_idle &&
         a.options.keepalive_interval == b.options.keepalive_interval &&
         a.options.keepalive_probes == b.options.keepalive_probes &&
         a.options.user_timeout == b.options.user_timeout;
}

std::string text_of(const net::socket_address& address) {
  return address.text();
}

bool is_fresh(const routing::topology& seen, const endpoint& one, routing::moment now) {
  return seen.most_lag.count() == 0 || (one.fresh_as_of && now - *one.fresh_as_of <= seen.most_lag);
}

/// What of a view makes a difference to those who wait.
std::string signature(const cluster_view& view, routing::moment now) {
  std::string all = view.paused ? "p" : "-";
  all += view.known.discovering ? "d" : "-";
  for (std::size_t i = 0; i < view.known.endpoints.size(); ++i) {
    const endpoint& one = view.known.endpoints[i];
    all += fmt::format("|{},{},{},{},{},{},{}", one.id, static_cast<int>(one.state),
                       static_cast<int>(one.role), one.leaving + 2 * one.ready, one.resolved + 2 * one.closed,
                       is_fresh(view.known, one, now), one.zone);
    for (const auto& address : view.addresses[i])
      all += "," + text_of(address);
  }
  return all;
}

}  // namespace

cluster_watch::cluster_watch(const watch_services& with, std::shared_ptr<cluster> of)
    : with_(with),
      cluster_(std::move(of)),
      dirty_(
          *with_.loop, [](void* self) { static_cast<cluster_watch*>(self)->look_again(); }, this),
      sweep_(
          with_.loop->timers(), [](void* self) { static_cast<cluster_watch*>(self)->look_again(); }, this),
      hold_watch_(
          with_.loop->timers(), [](void* self) { static_cast<cluster_watch*>(self)->tell_hold(); }, this),
      operation_changed_(*with_.loop),
      operation_done_(
          *with_.loop, [](void* self) { static_cast<cluster_watch*>(self)->operation_over(); }, this),
      self_(std::make_shared<cluster_watch*>(this)) {
  cluster_->set_listener(this);
}

cluster_watch::~cluster_watch() {
  cluster_->set_listener(nullptr);
  listen_to(nullptr);
  *self_ = nullptr;
}

void cluster_watch::configure(std::shared_ptr<const watch_setup> setup) {
  const bool same = setup_ != nullptr && says_the_same(*setup_, *setup);
  setup_ = std::move(setup);
  if (setup_->feed != feed_) listen_to(setup_->feed);
  for (entry& each : entries_)
    each.watch->configure(setup_);
  if (!same) look_again();
}

void cluster_watch::listen_to(std::shared_ptr<endpoint_feed> feed) {
  if (feed_ != nullptr) {
    feed_->set_listener(nullptr);
    forgotten_failures_ += feed_->failures();
  }
  feed_ = std::move(feed);
  cluster_->set_feed(feed_);
  if (feed_ == nullptr) return;
  feed_->set_listener([loop = with_.loop, self = self_] {
    loop->post([self] {
      if (*self != nullptr) (*self)->dirty_.schedule();
    });
  });
}

void cluster_watch::retire() {
  retired_ = true;
  look_again();
}

// ---- what sessions tell ----

void cluster_watch::post(std::move_only_function<void(cluster_watch&)> work) {
  with_.loop->post([self = self_, work = std::move(work)]() mutable {
    if (*self != nullptr) work(**self);
  });
}

void cluster_watch::suspected(routing::endpoint_id which) {
  post([which](cluster_watch& self) {
    self.hurry();
    self.ask(which);
  });
}

void cluster_watch::role_seen(routing::endpoint_id which, bool in_recovery) {
  post([which, in_recovery](cluster_watch& self) { self.learn(which, in_recovery); });
}

void cluster_watch::wanted() {
  post([](cluster_watch& self) {
    self.hurry();
    self.tell_hold();
  });
}

/// Once when the first waits, once when none does any more.
void cluster_watch::tell_hold() {
  const auto now = with_.loop->now();
  const auto waiting = cluster_->held_now();
  const std::string_view upstream = cluster_->name();
  const auto view = cluster_->now();
  if (waiting > 0 && !holding_since_ && (view->paused || view->known.settled())) {
    holding_since_ = now;
    holds_before_ = cluster_->holds();
    const std::string why = view->paused ? "paused" : routing::describe(view->known, now);
    with_.log->write(log_level::info, "hold.begin", why, {{"upstream", upstream}});
  }
  if (waiting == 0 && holding_since_) {
    with_.log->write(log_level::info, "hold.end", "",
                     {{"upstream", upstream},
                      {"seconds", seconds_of(now - *holding_since_)},
                      {"sessions", static_cast<std::int64_t>(cluster_->holds() - holds_before_)}});
    holding_since_.reset();
  }
  if (holding_since_ || waiting > 0) hold_watch_.arm(now + limits::hold_retry);
}

void cluster_watch::ask(routing::endpoint_id which) {
  for (entry& each : entries_) {
    if (each.watch->of()->id == which) each.watch->ask_now();
  }
}

void cluster_watch::learn(routing::endpoint_id which, bool in_recovery) {
  for (entry& each : entries_) {
    if (each.watch->of()->id == which)
      each.learned = in_recovery ? server_role::replica : server_role::primary;
  }
  hurry();
  ask(which);
  dirty_.schedule();
}

void cluster_watch::hurry() {
  const bool already = in_a_hurry();
  hurry_until_ = with_.loop->now() + limits::health_hurry_time;
  if (already) return;
  for (entry& each : entries_)
    each.watch->ask_now();
}

bool cluster_watch::in_a_hurry() const {
  return with_.loop->now() < hurry_until_;
}

void cluster_watch::endpoint_changed(endpoint_watch&) {
  dirty_.schedule();
}

// ---- which endpoints there are ----

name_watch& cluster_watch::names_of(name_watch::question asked) {
  for (const auto& each : names_) {
    if (each->asked() == asked) return *each;
  }
  names_.push_back(std::make_unique<name_watch>(
      *with_.loop, *with_.lookups, std::move(asked),
      [](void* self) { static_cast<cluster_watch*>(self)->dirty_.schedule(); }, this));
  return *names_.back();
}

void cluster_watch::add_wanted(std::vector<wanted_endpoint>& to, std::string host, std::uint16_t port) {
  config::address address{.host = std::move(host), .port = port};
  wanted_endpoint made{.name = address.text(), .address = address};
  if (auto literal = net::socket_address::ip(address.host, address.port)) {
    made.addresses = {*literal};
  } else {
    made.from = &names_of({.what = name_watch::record::addresses,
                           .name = address.host,
                           .port = address.port,
                           .resolver = setup_->upstream().found.resolver});
    made.addresses = made.from->addresses();
    made.resolved = made.from->answered();
  }
  to.push_back(std::move(made));
}

/// What the feed has. As with names, certificates must be for the name, and the address is only where it is.
void cluster_watch::add_found(std::vector<wanted_endpoint>& to) const {
  const auto found = feed_ == nullptr ? nullptr : feed_->now();
  if (found == nullptr) return;
  for (const found_endpoint& each : found->endpoints) {
    to.push_back({.name = each.address.text(),
                  .address = {.host = found->server_name, .port = each.port},
                  .addresses = {each.address},
                  .zone = each.zone,
                  .ready = each.ready,
                  .leaving = each.leaving});
  }
}

/// Until then nobody is taken for gone: an answer may name them.
bool cluster_watch::all_answered() const {
  return (feed_ == nullptr || feed_->now() != nullptr) &&
         std::all_of(names_.begin(), names_.end(), [](const auto& each) { return each->answered(); });
}

std::vector<cluster_watch::wanted_endpoint> cluster_watch::wanted_endpoints() {
  const config::upstream& upstream = setup_->upstream();
  std::vector<wanted_endpoint> all;
  if (retired_) return all;
  for (const config::address& each : upstream.endpoints) {
    if (!each.is_unix()) {
      add_wanted(all, each.host, each.port);
      continue;
    }
    wanted_endpoint made{.name = each.text(), .address = each};
    if (auto path = net::socket_address::unix_path(each.path)) made.addresses = {*path};
    all.push_back(std::move(made));
  }
  const config::discovery& found = upstream.found;
  if (found.kind == config::discovery_kind::dns) {
    name_watch& names = names_of({.what = name_watch::record::addresses,
                                  .name = found.name,
                                  .port = found.port,
                                  .resolver = found.resolver});
    for (const auto& address : names.addresses()) {
      // The certificate must be the name's; the address is only where it is.
      all.push_back({.name = address.text(),
                     .address = {.host = found.name, .port = found.port},
                     .addresses = {address}});
    }
  }
  if (found.kind == config::discovery_kind::srv) {
    name_watch& names =
        names_of({.what = name_watch::record::services, .name = found.name, .resolver = found.resolver});
    const auto services = names.services();  // what follows adds to `names_`
    for (const auto& service : services)
      add_wanted(all, service.host, service.port);
  }
  add_found(all);
  if (const std::size_t most = limits::endpoints_per_upstream; all.size() > most) {
    if (!std::exchange(too_many_told_, true)) {
      with_.log->write(log_level::warning, "endpoint.limit", "the rest is left out",
                       {{"upstream", std::string_view(cluster_->name())},
                        {"endpoints", static_cast<std::int64_t>(all.size())},
                        {"limit", static_cast<std::int64_t>(most)}});
    }
    all.resize(most);
  }
  return all;
}

void cluster_watch::forget_names() {
  const auto& found = setup_->upstream().found;
  std::erase_if(names_, [&](const auto& each) {
    const auto& asked = each->asked();
    const bool discovers = found.kind != config::discovery_kind::none && asked.name == found.name &&
                           asked.resolver == found.resolver;
    if (discovers) return false;
    const bool unused = std::none_of(entries_.begin(), entries_.end(), [&](const entry& one) {
      return !one.leaving && one.from == each.get();
    });
    if (unused) forgotten_failures_ += each->failures();
    return unused;
  });
}

void cluster_watch::reconcile() {
  auto wanted = wanted_endpoints();
  const bool all_known = all_answered();
  for (entry& each : entries_)
    each.leaving = each.leaving || all_known;
  for (wanted_endpoint& each : wanted) {
    auto known = std::find_if(entries_.begin(), entries_.end(), [&](const entry& one) {
      return one.name == each.name && one.address == each.address;
    });
    if (known == entries_.end()) {
      if (each.leaving) continue;
      entry made{.name = each.name, .address = each.address};
      made.watch = std::make_unique<endpoint_watch>(
          *with_.loop, with_.keys, with_.loops,
          std::make_shared<member>(next_id_++, each.name, each.address, setup_->upstream().max_logins),
          *this);
      entries_.push_back(std::move(made));
      known = std::prev(entries_.end());
      known->watch->configure(setup_);
      if (paused_) close(*known, true);
    }
    known->leaving = each.leaving;
    known->ready = each.ready;
    known->zone = std::move(each.zone);
    known->from = each.from;
    // A name that answers nothing more keeps what it last had.
    if (each.resolved) known->watch->set_addresses(std::move(each.addresses));
  }
  for (entry& each : entries_) {
    if (each.leaving) each.from = nullptr;
  }
  forget_names();
}

/// Those that nobody is on any more. True: others remain.
bool cluster_watch::drop_left() {
  std::erase_if(entries_, [&](const entry& each) {
    if (!each.leaving || each.watch->of()->sessions.load(std::memory_order_relaxed) > 0 || each.told.id == 0)
      return false;
    with_.log->write(
        log_level::info, "endpoint.removed", "",
        {{"upstream", std::string_view(cluster_->name())}, {"endpoint", std::string_view(each.name)}});
    return true;
  });
  return std::any_of(entries_.begin(), entries_.end(), [](const entry& each) { return each.leaving; });
}

// ---- what is known of them ----

endpoint cluster_watch::describe(const entry& from) const {
  const auto& report = from.watch->report();
  endpoint made{.id = from.watch->of()->id, .name = from.name, .address = from.address};
  made.zone = zone_of(setup_->upstream(), from.name);
  if (made.zone.empty()) made.zone = from.zone;
  made.ready = from.ready;
  made.role = report.state == endpoint_state::down ? server_role::unknown : from.learned;
  made.leaving = from.leaving;
  made.closed = from.closed;
  made.resolved = from.from == nullptr || from.from->answered();
  made.since = from.told.since;
  made.up_since = from.told.up_since;
  return made;
}

std::shared_ptr<cluster_view> cluster_watch::make_view() {
  auto view = std::make_shared<cluster_view>();
  const config::upstream& upstream = setup_->upstream();
  view->paused = paused_ || switching_;
  view->known.probed = upstream.health.has_value();
  view->known.roles_are_watched = view->known.probed && !upstream.health->user.empty();
  if (view->known.probed) {
    view->known.most_lag = upstream.health->max_replica_lag;
    view->known.slow_start = upstream.health->slow_start;
  }
  std::vector<endpoint_report> reports;
  for (const entry& each : entries_) {
    view->known.endpoints.push_back(describe(each));
    view->addresses.push_back(each.watch->addresses());
    view->members.push_back(each.watch->of());
    reports.push_back(each.watch->report());
    if (each.watch->addresses().empty() && each.from != nullptr && each.from->answered()) {
      reports.back().state = endpoint_state::down;
      reports.back().said = each.from->problem();
    }
  }
  const std::string conflict = judge_.judge(view->known.endpoints, reports);
  if (conflict != conflict_told_) {
    conflict_told_ = conflict;
    const std::string_view name = cluster_->name();
    if (conflict.empty())
      with_.log->write(log_level::info, "topology.conflict", "is over", {{"upstream", name}});
    if (!conflict.empty())
      with_.log->write(log_level::error, "topology.conflict", conflict, {{"upstream", name}});
  }
  return view;
}

void cluster_watch::look_again() {
  reconcile();
  auto view = make_view();
  const auto now = with_.loop->now();
  std::uint64_t failures = forgotten_failures_;
  if (feed_ != nullptr) {
    failures += feed_->failures();
    view->known.discovering = feed_->now() == nullptr;
    view->known.discovery_problem = feed_->problem();
  }
  for (const auto& each : names_) {
    failures += each->failures();
    view->known.discovering = view->known.discovering || !each->answered();
    if (!each->problem().empty()) view->known.discovery_problem = each->problem();
  }
  cluster_->count_discovery_failures(failures);
  const auto before = cluster_->now();
  const bool changed = signature(*before, now) != signature(*view, now);
  view->known.generation = changed ? ++generation_ : generation_;
  tell_changes(*view);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    view->known.endpoints[i].since = entries_[i].told.since;
    view->known.endpoints[i].up_since = entries_[i].told.up_since;
  }
  tell_primary(*view);
  tell_discovery();
  cluster_->publish(view, changed);
  evict();
}

// ---- what is told of changes ----

void cluster_watch::tell_changes(const cluster_view& view) {
  const auto now = with_.loop->now();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    endpoint& told = entries_[i].told;
    endpoint seen = view.known.endpoints[i];
    const bool is_new = told.id == 0;
    const bool differs =
        is_new || told.state != seen.state || told.role != seen.role || told.leaving != seen.leaving;
    seen.since = differs ? now : told.since;
    seen.up_since =
        seen.state == endpoint_state::up && told.state != endpoint_state::up ? now : told.up_since;
    if (is_new) {
      with_.log->write(
          log_level::info, "endpoint.added", "",
          {{"upstream", std::string_view(cluster_->name())}, {"endpoint", std::string_view(seen.name)}});
    }
    if (differs) tell_endpoint(told, seen);
    const bool came_up = seen.state == endpoint_state::up && told.state == endpoint_state::down;
    const bool took_over = seen.role == server_role::primary && told.role == server_role::replica;
    if (came_up || took_over) entries_[i].watch->of()->line.begin_slowly();
    if (told.state == endpoint_state::up && seen.state == endpoint_state::down) hurry();
    if (seen.state == endpoint_state::down) entries_[i].learned = server_role::unknown;
    told = std::move(seen);
  }
}

void cluster_watch::tell_endpoint(const endpoint& before, const endpoint& after) {
  const std::string_view upstream = cluster_->name();
  const std::string_view name = after.name;
  const auto write = [&](log_level level, std::string_view event) {
    with_.log->write(level, event, after.said,
                     {{"upstream", upstream}, {"endpoint", name}, {"role", routing::name_of(after.role)}});
  };
  if (before.state != after.state) {
    if (after.state == endpoint_state::up) write(log_level::info, "endpoint.up");
    if (after.state == endpoint_state::down) write(log_level::warning, "endpoint.down");
    if (after.state == endpoint_state::foreign) write(log_level::error, "endpoint.foreign");
    if (after.state == endpoint_state::self) write(log_level::error, "endpoint.self");
    spread_state(before, after);
  }
  if (before.role != after.role && after.role != server_role::unknown)
    write(log_level::info, "endpoint.role");
  if (after.leaving && !before.leaving) write(log_level::info, "endpoint.leaving");
}

/// That a server is up is news only where it was not before.
void cluster_watch::spread_state(const endpoint& before, const endpoint& after) const {
  using event = upstream_news::event;
  if (after.state == endpoint_state::down) spread(event::endpoint_down, after.name, after.said);
  if (after.state == endpoint_state::foreign || after.state == endpoint_state::self)
    spread(event::endpoint_foreign, after.name, after.said);
  if (after.state == endpoint_state::up && before.state != endpoint_state::unknown)
    spread(event::endpoint_up, after.name, "");
}

void cluster_watch::spread(upstream_news::event what, const std::string& endpoint,
                           const std::string& said) const {
  if (with_.told)
    with_.told({.what = what, .upstream = cluster_->name(), .endpoint = endpoint, .said = said});
}

void cluster_watch::tell_primary(const cluster_view& view) {
  if (!view.known.roles_are_watched) return;
  const endpoint* primary = view.known.primary();
  const routing::endpoint_id now_is = primary == nullptr ? 0 : primary->id;
  if (now_is == primary_told_) return;
  const auto now = with_.loop->now();
  const std::string_view upstream = cluster_->name();
  if (primary == nullptr) {
    primary_lost_ = now;
    hurry();
    const std::string known = routing::describe(view.known, now);
    with_.log->write(log_level::warning, "topology.primary", "none is known: " + known,
                     {{"upstream", upstream}});
    spread(upstream_news::event::primary_lost, "", known);
  } else {
    const auto gap = primary_lost_ ? now - *primary_lost_ : runtime::duration(0);
    if (primary_lost_ || primary_told_ != 0)
      spread(upstream_news::event::primary_found, primary->name,
             fmt::format("after {:.1f} s without a primary", seconds_of(gap)));
    if (primary_lost_) cluster_->tell_gap(std::chrono::duration_cast<std::chrono::microseconds>(gap));
    primary_lost_.reset();
    with_.log->write(log_level::info, "topology.primary", "",
                     {{"upstream", upstream},
                      {"endpoint", std::string_view(primary->name)},
                      {"timeline", static_cast<std::int64_t>(primary->timeline)},
                      {"gapSeconds", seconds_of(gap)},
                      {"waiting", static_cast<std::int64_t>(cluster_->held_now())}});
  }
  primary_told_ = now_is;
}

void cluster_watch::tell_discovery() {
  std::string problem = feed_ == nullptr ? "" : feed_->problem();
  for (const auto& each : names_) {
    if (!each->problem().empty()) problem = each->problem();
  }
  if (problem.empty() == problem_told_.empty()) return;
  const std::string_view upstream = cluster_->name();
  problem_told_ = problem;
  if (problem.empty()) return with_.log->write(log_level::info, "discovery.ok", "", {{"upstream", upstream}});
  with_.log->write(log_level::warning, "discovery.failed", problem + ": what was known before stays in use",
                   {{"upstream", upstream}});
}

// ---- sessions that must leave ----

/// Once with each change; again and again where everybody must go, since a login that was under way may have
/// come in after the last time.
void cluster_watch::evict_from(entry& from) {
  const endpoint& one = from.told;
  const bool everybody = one.leaving || one.state == endpoint_state::foreign;
  const bool at_once = one.role == server_role::superseded;
  const auto now = with_.loop->now();
  const bool differs = from.evicted_as != one.role || from.evicted_all != everybody;
  const bool again = (everybody || at_once) && now - from.evicted_at >= sweep_interval;
  if (!differs && !again) return;
  from.evicted_as = one.role;
  from.evicted_all = everybody;
  from.evicted_at = now;
  if (one.role == server_role::unknown && !everybody) return;
  if (from.watch->of()->sessions.load(std::memory_order_relaxed) == 0) return;
  with_.evict({.from = from.watch->of(), .role = one.role, .leaving = everybody, .at_once = at_once});
}

void cluster_watch::evict() {
  bool again = drop_left();
  for (entry& each : entries_) {
    evict_from(each);
    again = again || each.evicted_all || each.evicted_as == server_role::superseded;
  }
  if (again && !sweep_.armed()) sweep_.arm(with_.loop->now() + sweep_interval);
}

}  // namespace trunkline::pool
