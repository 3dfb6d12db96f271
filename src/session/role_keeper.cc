#include "session/role_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/bytes.h"
#include "base/limits.h"
#include "runtime/deadline.h"
#include "runtime/random.h"
#include "session/grant_hold.h"
#include "session/login_context.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

std::string random_tag() {
  return fmt::format("{:08x}", load_u32(runtime::random_bytes<4>().data()));
}

const config::route* find_route(const deployment& in, const std::string& name) {
  for (const config::route& each : in.settings->routes)
    if (each.name == name && each.login && each.login->ephemeral) return &each;
  return nullptr;
}

/// The client is not told why: whoever runs the gateway is, by its log.
login_end no_role(const error& why) {
  return {.cause = {cause::login_failed, sqlstates::cannot_connect_now},
          .detail = "no role for the grant: " + why.message,
          .tell = error{.reaction = error_reaction::retry,
                        .code = why.code == sqlstates::configuration_limit_exceeded
                                    ? why.code
                                    : sqlstates::cannot_connect_now,
                        .message = "the gateway cannot make a role for this session at the moment",
                        .hint = "The access stays granted: connect again. The gateway's log says why."}};
}

}  // namespace

role_keeper::role_keeper(parts with) : with_(std::move(with)), changed_(*with_.loop) {
  with_.keys.where = with_.loop.get();
}

role_keeper::~role_keeper() {
  stop();
}

void role_keeper::start() {
  if (thread_.joinable()) return;
  with_.loop->post([this] {
    sweeps_ = sweep_now_and_then(this);
    sweeps_.start([](void*) {}, this);
  });
  thread_ = runtime::owned_thread("roles", [this] { with_.loop->run(); });
}

void role_keeper::stop() {
  if (!thread_.joinable()) return;
  with_.loop->post([this] {
    sweeps_ = {};
    leaving_ = take_leave(this);
    leaving_.start([](void* self) { static_cast<role_keeper*>(self)->with_.loop->stop(); }, this);
  });
  thread_.join();
  thread_ = {};
}

runtime::task<> role_keeper::take_leave(role_keeper* self) {
  for (const auto& [name, each] : self->roles_)
    each.kept->hurry();
  const runtime::deadline over(*self->with_.loop, self->changed_, limits::role_farewell);
  for (self->collect(); !self->roles_.empty() && !over.passed(); self->collect())
    co_await self->changed_.wait();
  self->roles_.clear();
}

runtime::task<step<pool::server_secret>> role_keeper::role_for(login_context* context) {
  const session_facts& facts = *context->facts;
  const grants::standing granted = facts.access->grant->at().now();
  const std::string database =
      facts.route->database.empty() ? std::string(context->startup.database) : facts.route->database;
  const runtime::remote_wake here(*context->loop, context->changed);
  auto asked = std::make_shared<role_answer>(here.handle());
  with_.loop->post([this, granted, setup = facts.setup, route = facts.route->name, database, asked] {
    want(granted, setup, route, database, asked);
  });
  const runtime::deadline late(*context->loop, context->changed, limits::role_errand);
  for (;;) {
    if (auto answer = asked->take()) {
      if (!*answer) co_return std::unexpected(no_role(answer->error()));
      if (facts.access->grant->at().now().of->now == grants::state::active) co_return std::move(**answer);
      // It ended before the keeper knew of the role: who ends roles came too early for this one.
      grant_over(granted.of->id);
      co_return std::unexpected(no_role({.message = "the grant is over"}));
    }
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    if (late.passed()) co_return std::unexpected(no_role({.message = "it is not there in time"}));
    co_await context->changed.wait();
  }
}

void role_keeper::doubt(std::int64_t grant) {
  with_.loop->post([this, grant] { each_of(grant, &kept_role::doubt); });
}

void role_keeper::grant_over(std::int64_t grant) {
  with_.loop->post([this, grant] { each_of(grant, &kept_role::end); });
}

void role_keeper::each_of(std::int64_t grant, void (kept_role::*what)()) {
  for (auto at = in_use_.lower_bound({grant, "", ""}); at != in_use_.end() && std::get<0>(at->first) == grant;
       ++at)
    (roles_.at(at->second).kept.get()->*what)();
}

void role_keeper::want(const grants::standing& granted, const configuration& setup, const std::string& route,
                       const std::string& database, std::shared_ptr<role_answer> who) {
  const grants::record& of = *granted.of;
  const config::route& by = *find_route(*setup, route);
  const place where{of.id, by.upstream, database};
  if (const auto found = in_use_.find(where); found != in_use_.end())
    return roles_.at(found->second).kept->want(std::move(who));
  if (roles_.size() >= limits::roles) {
    return who->give(std::unexpected(error{.code = sqlstates::configuration_limit_exceeded,
                                           .message = "the gateway has too many roles at servers"}));
  }
  auto made = role_of(of, by, database, random_tag());
  made.ends = granted.ends;
  in_use_[where] = made.name;
  add(std::move(made), setup, kept_role::beginning::made).want(std::move(who));
}

kept_role& role_keeper::add(ephemeral_role what, configuration setup, kept_role::beginning how) {
  entry& made = roles_[what.name];
  made.setup = std::move(setup);
  made.kept = std::make_unique<kept_role>(static_cast<role_host&>(*this), std::move(what), how);
  count_.store(roles_.size(), std::memory_order_relaxed);
  return *made.kept;
}

/// Takes away what is no more.
void role_keeper::collect() {
  std::erase_if(roles_, [](const auto& each) { return each.second.kept->is_gone(); });
  count_.store(roles_.size(), std::memory_order_relaxed);
}

void role_keeper::retired(const ephemeral_role& role) {
  const auto found = in_use_.find({role.grant, role.upstream, role.database});
  if (found != in_use_.end() && found->second == role.name) in_use_.erase(found);
  changed_.raise();
}

/// What says today who makes and drops it: the newest, as long as its route leads to the same upstream.
role_keeper::configuration role_keeper::newest(const ephemeral_role& of) const {
  auto current = with_.current();
  const config::route* now = current == nullptr ? nullptr : find_route(*current, of.route);
  return now != nullptr && now->upstream == of.upstream ? current : roles_.at(of.name).setup;
}

talk_request role_keeper::talk_about(const ephemeral_role& role, const std::string& database) {
  const auto setup = newest(role);
  return talk_to(setup, *find_route(*setup, role.route), database);
}

talk_request role_keeper::talk_to(const configuration& setup, const config::route& route,
                                  const std::string& database) {
  const config::ephemeral_roles& with = *route.login->ephemeral;
  return {.where = with_.loop.get(),
          .setup = setup,
          .upstream = route.upstream_index,
          .as = {.user = with.as.user,
                 .password = with.as.password,
                 .before = find_secret(setup->secrets, route.name, with.as.user)},
          .database = database.empty() ? with.database : database,
          .guard = with_.guard,
          .keys = with_.keys,
          .patience = limits::role_errand};
}

void role_keeper::tell(role_event what, const ephemeral_role& role, const std::string& problem) {
  const bool failed = what == role_event::failed;
  auto& counter = failed ? failures_ : what == role_event::created ? created_ : dropped_;
  counter.fetch_add(1, std::memory_order_relaxed);
  with_.log.write(failed ? telemetry::log_level::warning : telemetry::log_level::info, "access.role",
                  failed                        ? problem
                  : what == role_event::created ? "a grant has its role"
                                                : "a grant's role is dropped",
                  {{"role", std::string_view(role.name)},
                   {"request", role.grant},
                   {"principal", std::string_view(role.principal)},
                   {"route", std::string_view(role.route)},
                   {"database", std::string_view(role.database)}});
  if (!failed) with_.told(what, role);
  changed_.raise();
}

runtime::task<> role_keeper::sweep_now_and_then(role_keeper* self) {
  for (;;) {
    co_await sweep_all(self, self->with_.current());
    const runtime::deadline again(*self->with_.loop, self->changed_, limits::role_sweep);
    for (self->collect(); !again.passed(); self->collect())
      co_await self->changed_.wait();
  }
}

runtime::task<> role_keeper::sweep_all(role_keeper* self, configuration setup) {
  std::set<std::string> seen;
  if (setup == nullptr) co_return;
  for (const config::route& each : setup->settings->routes) {
    if (!each.login || !each.login->ephemeral) continue;
    const auto& with = *each.login->ephemeral;
    const bool fresh =
        seen.insert(fmt::format("{}\n{}\n{}\n{}", each.upstream, with.as.user, with.database, with.prefix))
            .second;
    if (fresh) co_await sweep(self, setup, &each);
  }
}

runtime::task<> role_keeper::sweep(role_keeper* self, configuration setup, const config::route* route) {
  const config::ephemeral_roles& with = *route->login->ephemeral;
  server_talk talk(self->talk_to(setup, *route, ""));
  if (auto opened = co_await server_talk::open(&talk); !opened)
    co_return self->swept(route->name, opened.error().message);
  auto left = co_await server_talk::ask(&talk, secret_text(orphans_statement(with.prefix)));
  if (!left) co_return self->swept(route->name, left.error().message);
  self->swept(route->name, "");
  for (const side_errand::row& row : *left) {
    const auto found = row.size() == 3 ? orphan_of(row[1]) : std::nullopt;
    if (!found || self->roles_.contains(row[0]) || self->roles_.size() >= limits::roles) continue;
    self->add({.name = row[0],
               .grant = found->grant,
               .principal = {},
               .route = route->name,
               .upstream = route->upstream,
               .database = found->database,
               .member_of = {},
               .reassign_to = with.reassign_to.empty() ? row[2] : with.reassign_to},
              setup, kept_role::beginning::left_behind);
  }
}

/// A warning where something is wrong that was not so before.
void role_keeper::swept(const std::string& route, const std::string& problem) {
  std::string& before = swept_[route];
  if (before == problem) return;
  before = problem;
  if (problem.empty()) return;
  failures_.fetch_add(1, std::memory_order_relaxed);
  with_.log.write(telemetry::log_level::warning, "access.role",
                  "roles that a crash may have left behind cannot be looked for: " + problem,
                  {{"route", std::string_view(route)}});
}

role_keeper::figures role_keeper::seen() const {
  return {.roles = count_.load(std::memory_order_relaxed),
          .created = created_.load(std::memory_order_relaxed),
          .dropped = dropped_.load(std::memory_order_relaxed),
          .failures = failures_.load(std::memory_order_relaxed)};
}

}  // namespace trunkline::session
