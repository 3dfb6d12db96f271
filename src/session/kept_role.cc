#include "session/kept_role.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "grants/office.h"
#include "runtime/deadline.h"

namespace trunkline::session {

namespace {

constexpr sqlstate no_such_database{"3D000"};
constexpr std::chrono::milliseconds look_again{100};

runtime::duration left(std::chrono::steady_clock::time_point until) {
  return std::max(std::chrono::steady_clock::duration(0), until - std::chrono::steady_clock::now());
}

error failure(std::string why) {
  return {.source = error_source::server, .message = std::move(why)};
}

}  // namespace

kept_role::kept_role(role_host& host, ephemeral_role what, beginning how)
    : host_(host),
      role_(std::move(what)),
      keys_(random_role_keys()),
      changed_(host.where()),
      may_be_there_(how == beginning::left_behind),
      ended_(how == beginning::left_behind),
      life_(live(this)) {
  life_.start([](void*) {}, this);
}

void kept_role::want(std::shared_ptr<role_answer> who) {
  waiting_.push_back(std::move(who));
  changed_.raise();
}

void kept_role::end() {
  ended_ = true;
  changed_.raise();
}

void kept_role::hurry() {
  hurried_ = true;
  end();
}

bool kept_role::is_over() const {
  return ended_ || std::chrono::steady_clock::now() >= role_.ends;
}

void kept_role::answer(const outcome& made) {
  for (const auto& each : std::exchange(waiting_, {})) {
    if (made) {
      each->give(pool::server_secret{.user = role_.name, .recovered = keys_});
    } else {
      each->give(std::unexpected(made.error()));
    }
  }
}

runtime::task<> kept_role::live(kept_role* self) {
  if (!self->is_over()) co_await stay(self);
  self->host_.retired(self->role_);
  self->answer(std::unexpected(failure("the grant is over")));
  if (self->may_be_there_) co_await leave(self);
  self->gone_ = true;
}

/// It is there, until the grant is over or it cannot be made.
runtime::task<> kept_role::stay(kept_role* self) {
  for (;;) {
    self->doubted_ = false;
    auto made = co_await make(self);
    if (!made) {
      self->host_.tell(role_event::failed, self->role_, made.error().message);
      co_return self->answer(made);
    }
    while (!self->is_over() && (!self->doubted_ || self->waiting_.empty())) {
      if (!self->doubted_) self->answer(made);
      const runtime::deadline over(self->host_.where(), self->changed_, left(self->role_.ends));
      co_await self->changed_.wait();
    }
    if (self->is_over()) co_return;
  }
}

runtime::task<kept_role::outcome> kept_role::open(kept_role* self, std::unique_ptr<server_talk>* talk) {
  *talk = std::make_unique<server_talk>(self->host_.talk_about(self->role_, self->role_.database));
  auto opened = co_await server_talk::open(talk->get());
  if (opened || opened.error().code != no_such_database) co_return opened;
  // Nothing that it owned there is left.
  *talk = std::make_unique<server_talk>(self->host_.talk_about(self->role_, ""));
  co_return co_await server_talk::open(talk->get());
}

runtime::task<kept_role::outcome> kept_role::make(kept_role* self) {
  std::unique_ptr<server_talk> talk;
  if (auto opened = co_await open(self, &talk); !opened) co_return opened;
  if (self->may_be_there_) {
    auto found = co_await server_talk::ask(talk.get(), secret_text(find_statement(self->role_.name)));
    if (!found) co_return std::unexpected(std::move(found.error()));
    if (!found->empty()) co_return outcome();
  }
  const bool was_there = std::exchange(self->may_be_there_, true);
  auto made =
      co_await server_talk::ask(talk.get(), make_statement(self->role_, self->keys_, self->host_.gateway()));
  if (!made) {
    // What the server has refused, it has not done.
    self->may_be_there_ = was_there || !talk->is_open();
    co_return std::unexpected(std::move(made.error()));
  }
  self->host_.tell(role_event::created, self->role_, "");
  co_return outcome();
}

/// Until nothing is left of it.
runtime::task<> kept_role::leave(kept_role* self) {
  co_await rest(self, limits::role_grace);
  runtime::duration pause = limits::role_retry;
  for (;;) {
    const bool last = self->hurried_;
    auto dropped = co_await drop(self);
    if (dropped) co_return self->host_.tell(role_event::dropped, self->role_, "");
    self->host_.tell(role_event::failed, self->role_, dropped.error().message);
    if (last) co_return;
    co_await rest(self, pause);
    pause = std::min<runtime::duration>(2 * pause, limits::role_retry_most);
  }
}

runtime::task<kept_role::outcome> kept_role::drop(kept_role* self) {
  std::unique_ptr<server_talk> talk;
  const ephemeral_role& role = self->role_;
  if (auto opened = co_await open(self, &talk); !opened) co_return opened;
  auto found = co_await server_talk::ask(talk.get(), secret_text(find_statement(role.name)));
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (found->empty()) co_return outcome();
  if (auto ended = co_await end_sessions(self, talk.get()); !ended) co_return ended;
  auto owns = co_await server_talk::ask(talk.get(), secret_text(owns_statement(role.name)));
  if (!owns) co_return std::unexpected(std::move(owns.error()));
  if (!owns->empty() && role.reassign_to.empty())
    co_return std::unexpected(failure("it owns something, and reassignTo says of nobody who gets it"));
  const std::string heir = owns->empty() ? std::string() : role.reassign_to;
  secret_text goodbye(drop_statement(role.name, heir));
  auto dropped = co_await server_talk::ask(talk.get(), std::move(goodbye));
  if (!dropped) co_return std::unexpected(std::move(dropped.error()));
  co_return outcome();
}

runtime::task<kept_role::outcome> kept_role::end_sessions(kept_role* self, server_talk* talk) {
  for (std::string& each : close_statements(self->role_.name)) {
    auto done = co_await server_talk::ask(talk, secret_text(std::move(each)));
    if (!done) co_return std::unexpected(std::move(done.error()));
  }
  const auto give_up = self->host_.where().now() + limits::role_sessions_end;
  for (;;) {
    auto left = co_await server_talk::ask(talk, secret_text(sessions_statement(self->role_.name)));
    if (!left) co_return std::unexpected(std::move(left.error()));
    if (left->size() == 1 && left->front().size() == 1 && left->front().front() == "0") co_return outcome();
    if (self->host_.where().now() >= give_up)
      co_return std::unexpected(failure("its sessions at the server do not end"));
    co_await server_talk::rest(talk, look_again);
  }
}

runtime::task<> kept_role::rest(kept_role* self, runtime::duration time) {
  const runtime::deadline over(self->host_.where(), self->changed_, time);
  while (!over.passed() && !self->hurried_)
    co_await self->changed_.wait();
}

}  // namespace trunkline::session
