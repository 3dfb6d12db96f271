#include "pool/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "runtime/random.h"

namespace trunkline::pool {

using kind = connect_failure::kind;

namespace {

/// From 0.75 to 1.25 of it: those who failed together do not come back together.
runtime::duration jittered(runtime::duration about) {
  const auto random = runtime::random_bytes<1>();
  return about * (192 + std::to_integer<int>(random[0]) / 2) / 256;
}

std::array<std::uint32_t, 2> two_numbers() {
  const auto bytes = runtime::random_bytes<8>();
  std::array<std::uint32_t, 2> made{};
  std::memcpy(made.data(), bytes.data(), bytes.size());
  return made;
}

std::string_view wanted_name(config::route_target target) {
  switch (target) {
    case config::route_target::primary:
      return "primary";
    case config::route_target::replica:
      return "replica";
    default:
      return "server";
  }
}

connect_failure gone() {
  return {.why = {.code = sqlstates::connection_failure, .message = "the client is gone"},
          .what = kind::abandoned};
}

}  // namespace

search::search(search_request request, net::channel* into)
    : request_(std::move(request)),
      into_(into),
      changes_(*request_.of, *request_.connect.where, into->changed()),
      began_(request_.connect.where->now()),
      retry_(limits::hold_retry) {}

bool search::abandoned() const {
  return request_.connect.on_behalf_of != nullptr && request_.connect.on_behalf_of->ended();
}

std::optional<cluster::choice> search::choose(std::span<const routing::endpoint_id> without) const {
  const routing::wish wanted{
      .target = request_.target, .zone = request_.zone, .now = now(), .random = two_numbers()};
  return request_.of->choose(wanted, without);
}

/// Whether there is no other that could be tried instead.
bool search::is_alone(routing::endpoint_id which) const {
  auto without = tried_;
  without.push_back(which);
  return !choose(without).has_value();
}

bool search::can_go_on(const pool::lease& without) const {
  return request_.of->now()->paused || request_.connect.upstream->hold.count() > 0 ||
         !is_alone(without.on()->id);
}

void search::note(const std::string& name, const connect_failure& one) {
  constexpr std::size_t most = 1'000;
  tls_ = tls_ || one.what == kind::tls;
  if (!one.why.hint.empty()) hint_ = one.why.hint;
  if (failures_.size() < most) failures_ += (failures_.empty() ? "" : "; ") + name + ": " + one.why.message;
}

void search::reject(const pool::lease& which, const std::string& why) {
  tried_.push_back(which.on()->id);
  note(which.on()->name, {.why = {.message = why}});
}

connect_failure search::failure(const cluster_view* seen) const {
  const std::string upstream = "upstream \"" + request_.of->name() + "\"";
  if (seen->paused) {
    return {.why = {.reaction = error_reaction::retry,
                    .code = sqlstates::cannot_connect_now,
                    .message = upstream + " is paused",
                    .hint = "RESUME on the gateway's console lets sessions in again."},
            .what = kind::unavailable};
  }
  const bool held = request_.connect.upstream->hold.count() > 0;
  if (!failures_.empty() && !held) {
    return {.why = {.source = error_source::server,
                    .reaction = error_reaction::retry,
                    .code = sqlstates::connection_failure,
                    .message = "no server of " + upstream + " can be reached: " + failures_,
                    .hint = hint_},
            .what = tls_ ? kind::tls : kind::unreachable};
  }
  std::string message = fmt::format("no {} of {} is available", wanted_name(request_.target), upstream);
  if (held) message += fmt::format(" after {:.1f} s", std::chrono::duration<double>(waited_).count());
  message += ": " + routing::describe(seen->known, now());
  if (!failures_.empty()) message += "; " + failures_;
  const bool primary = request_.target == config::route_target::primary;
  return {.why = {.source = error_source::server,
                  .reaction = error_reaction::retry,
                  .code = sqlstates::cannot_connect_now,
                  .message = std::move(message),
                  .hint = primary ? "Try again in a moment: a new primary may be on its way." : ""},
          .what = kind::unavailable};
}

runtime::time_point search::patience_ends(const cluster_view& seen) {
  if (seen.paused) return request_.give_up;
  // What is not known yet will be soon.
  if (!seen.known.settled())
    return std::min(request_.give_up, began_ + request_.connect.upstream->connect_timeout);
  if (!hold_over_) hold_over_ = now() + request_.connect.upstream->hold;
  return std::min(request_.give_up, *hold_over_);
}

/// Until something has changed that may help, or it is worth another try.
runtime::task<search::verdict> search::wait_for_any(search* self, const cluster_view* seen) {
  const auto since = self->now();
  const auto until = self->patience_ends(*seen);
  if (until <= since) co_return std::unexpected(self->failure(seen));
  const auto retry = jittered(self->retry_);
  self->retry_ = std::min<runtime::duration>(self->retry_ * 2, limits::hold_retry_most);
  cluster::held waiting(*self->request_.of, since);
  runtime::deadline deadline(*self->request_.connect.where, self->into_->changed(),
                             std::min<runtime::duration>(until - since, retry));
  while (self->request_.of->now().get() == seen && !deadline.passed() && !self->abandoned() && !self->moved())
    co_await self->into_->changed().wait();
  waiting.over(self->now());
  self->waited_ += self->now() - since;
  if (self->abandoned()) co_return std::unexpected(gone());
  if (self->moved())
    co_return std::unexpected(connect_failure{.why = {.message = "moved"}, .what = kind::moved});
  self->tried_.clear();
  co_return verdict();
}

runtime::task<std::expected<login_line::turn, connect_failure>> search::wait_for_turn(search* self,
                                                                                      member* at) {
  const auto began = self->now();
  login_line::place place(at->line, *self->request_.connect.where, self->into_->changed());
  login_line::turn turn = place.take();
  if (turn) co_return turn;
  const auto patience =
      std::min<runtime::duration>(self->request_.connect.upstream->max_wait, self->request_.give_up - began);
  runtime::deadline deadline(*self->request_.connect.where, self->into_->changed(), patience);
  while (!turn && !deadline.passed() && !self->abandoned() &&
         !interest{self->request_.of, at->id}.is_lost()) {
    co_await self->into_->changed().wait();
    turn = place.take();
  }
  self->waited_ += self->now() - began;
  if (turn) co_return turn;
  if (self->abandoned()) co_return std::unexpected(gone());
  if (!deadline.passed()) co_return turn;
  co_return std::unexpected(connect_failure{
      .why = {.reaction = error_reaction::retry,
              .code = sqlstates::too_many_connections,
              .message = fmt::format("too many logins wait for {}: no turn after {:.1f} s", at->name,
                                     std::chrono::duration<double>(self->now() - began).count()),
              .hint = "The upstream's pool.maxLogins and pool.maxWait set how many and how long."},
      .what = kind::crowded});
}

runtime::task<std::expected<server_connection, connect_failure>> search::connect(search* self,
                                                                                 const cluster::choice* at) {
  const auto& known = at->seen->known.endpoints[at->index];
  connect_request request = self->request_.connect;
  request.at = {self->request_.of, known.id};
  runtime::duration patience = request.upstream->connect_timeout;
  if (!self->patient_ && !self->is_alone(known.id))
    patience = std::min<runtime::duration>(patience, limits::connect_patience);
  connect_failure last{.why = {.message = "no address"}};
  if (at->seen->addresses[at->index].empty()) self->note(known.name, {.why = {.message = known.said}});
  for (const net::socket_address& address : at->seen->addresses[at->index]) {
    server_place place{.endpoint = at->lease.address(), .address = address};
    auto made = co_await connect_place(request, std::move(place), patience, self->into_);
    if (made) co_return made;
    last = std::move(made.error());
    self->cut_short_ = self->cut_short_ || patience < request.upstream->connect_timeout;
    self->note(known.name, last);
    if (last.what == kind::abandoned) break;
  }
  co_return std::unexpected(std::move(last));
}

runtime::task<search::found> search::next(search* self) {
  for (;;) {
    if (self->abandoned()) co_return std::unexpected(gone());
    const auto seen = self->request_.of->now();
    auto choice = self->choose(self->tried_);
    if (!choice && self->cut_short_ && !self->patient_) {
      self->patient_ = true;
      self->tried_.clear();
      continue;
    }
    if (!choice) {
      auto waited = co_await wait_for_any(self, seen.get());
      if (!waited) co_return std::unexpected(std::move(waited.error()));
      continue;
    }
    member* at = choice->lease.on();
    auto turn = co_await wait_for_turn(self, at);
    if (!turn) co_return std::unexpected(std::move(turn.error()));
    if (!*turn) continue;
    auto made = co_await connect(self, &*choice);
    if (made) co_return found_server{std::move(*made), std::move(choice->lease), std::move(*turn)};
    if (made.error().what == kind::abandoned) co_return std::unexpected(std::move(made.error()));
    if (interest{self->request_.of, at->id}.is_closed()) continue;  // it waits with the others
    turn->failed();
    at->failed(self->now(), std::to_integer<int>(runtime::random_bytes<1>()[0]) / 255.0);
    self->request_.of->suspect(at->id);
    self->tried_.push_back(at->id);
  }
}

}  // namespace trunkline::pool
