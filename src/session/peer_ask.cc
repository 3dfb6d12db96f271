#include "session/peer_ask.h"

#include <algorithm>
#include <utility>

#include "runtime/deadline.h"
#include "runtime/random.h"
#include "session/replica_desk.h"

namespace trunkline::session {

peer_ask::peer_ask(login_context& of, question asked, runtime::signal& changed)
    : of_(of),
      asked_(std::move(asked)),
      told_(changed),
      changed_(*of.loop),
      peer_(*of.loop, changed_),
      task_(converse(this)) {}

void peer_ask::start() {
  task_.start([](void*) {}, this);
}

void peer_ask::enter(state next) {
  state_ = next;
  told_.raise();
}

void peer_ask::learn(const peer_answer& answer) {
  replica_desk& desk = *of_.shared->replicas;
  const bool is_new = desk.peers.learn(asked_.whom.address, answer, of_.loop->now());
  if (!is_new || answer.number != desk.number.load()) return;
  of_.shared->log.write(telemetry::log_level::warning, "replicas",
                        "another replica has the number of this one: cancel requests go to both",
                        {{"peer", std::string_view(asked_.whom.address.text())},
                         {"number", static_cast<std::int64_t>(answer.number)}});
}

void peer_ask::blame(const std::string& why) {
  enter(state::unreachable);
  if (!of_.shared->replicas->peers.blame(asked_.whom.address)) return;
  of_.shared->log.write(telemetry::log_level::warning, "replicas", "a replica cannot be asked: " + why,
                        {{"peer", std::string_view(asked_.whom.address.text())}});
}

runtime::task<result<>> peer_ask::reach() {
  const deployment& setup = *of_.facts->setup;
  pool::connect_request request{.where = of_.loop,
                                .upstream = &setup.peer_leg,
                                .tls = setup.peer_tls.get(),
                                .options = setup.socket_options};
  auto connection =
      co_await pool::connect_place(std::move(request), asked_.whom, limits::replica_connect, &peer_);
  if (!connection) co_return fail(connection.error().why);
  co_return result<>();
}

runtime::task<> peer_ask::converse(peer_ask* self) {
  if (auto reached = co_await self->reach(); !reached) co_return self->blame(reached.error().message);
  const auto nonce = runtime::random_bytes<sizeof(peer_nonce)>();
  const question& asked = self->asked_;
  net::channel& peer = self->peer_;
  std::vector<std::byte> packet;
  protocol::append_cancel_request(packet, asked.pid,
                                  encode_question(asked.keys, asked.pid, asked.key, nonce));
  peer.write(packet);
  runtime::deadline deadline(*self->of_.loop, self->changed_, limits::replica_answer);
  while (peer.unread().size() < peer_answer_bytes && !peer.ended() && !deadline.passed())
    co_await self->changed_.wait();
  std::optional<peer_answer> answer;
  if (peer.unread().size() == peer_answer_bytes) answer = read_answer(peer.unread(), nonce, asked.keys);
  if (!answer) co_return self->blame("it does not answer as one with the same secret does");
  self->learn(*answer);
  if (!answer->known) co_return self->enter(state::unknown);
  self->enter(state::known);
  while (!peer.ended() && !deadline.passed())
    co_await self->changed_.wait();
  self->enter(state::served);
}

runtime::task<peer_ask::state> ask_peers(login_context* context, std::vector<pool::server_place> whom,
                                         std::uint32_t pid, std::vector<std::byte> key) {
  using state = peer_ask::state;
  const auto keys = context->shared->replicas->keys.valid(context->loop->now());
  std::vector<std::unique_ptr<peer_ask>> asks;
  for (pool::server_place& each : whom) {
    asks.push_back(std::make_unique<peer_ask>(
        *context, peer_ask::question{.whom = std::move(each), .pid = pid, .key = key, .keys = keys},
        context->changed));
    asks.back()->start();
  }
  const auto count = [&asks](state which) {
    return std::count_if(asks.begin(), asks.end(), [&](const auto& each) { return each->now() == which; });
  };
  while (count(state::served) == 0 && count(state::waiting) + count(state::known) > 0) {
    if (count(state::known) > 0)
      std::erase_if(asks, [](const auto& each) { return each->now() != state::known; });
    co_await context->changed.wait();
  }
  if (count(state::served) > 0) co_return state::served;
  co_return count(state::unreachable) > 0 ? state::unreachable : state::unknown;
}

}  // namespace trunkline::session
