#include "session/cancel_service.h"

#include <atomic>
#include <utility>

#include "base/limits.h"
#include "runtime/deadline.h"
#include "runtime/remote_wake.h"
#include "session/cancel_sender.h"
#include "session/cancel_taker.h"
#include "session/peer_ask.h"
#include "session/replica_desk.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

void note(login_context& context, cancel_result result, std::uint64_t session = 0) {
  context.shared->cancel_requests.add(result);
  context.shared->log.write(telemetry::log_level::debug, "cancel", name_of(result),
                            {{"client", std::string_view(context.facts->client)}});
  // A flood leaves its number, not a record for each.
  const bool is_flood = result == cancel_result::rate_limited || result == cancel_result::not_a_peer;
  if (context.gate == nullptr || is_flood) return;
  auto event = std::make_unique<audit::rare_event>();
  event->session = session;
  event->when = context.loop->now();
  event->what = audit::cancel_served{.client = context.facts->client, .result = std::string(name_of(result))};
  context.gate->write(std::move(event));
}

std::string source_of(const login_context& context) {
  return session::source_of(context.client_address.host_text());
}

/// Only the session knows what it is on now; it is asked on its own loop.
runtime::task<bool> ask_pooled_session(login_context* context, std::uint32_t pid, cancel_owner owner) {
  enum : int { unknown, failed, done };
  auto answer = std::make_shared<std::atomic<int>>(unknown);
  runtime::remote_wake here(*context->loop, context->changed);
  const cancel_registry& cancels = context->shared->cancels;
  owner.where->post([&cancels, pid, session = owner.session, answer, caller = here.handle()] {
    auto heard = [answer, caller](bool cancelled) {
      answer->store(cancelled ? done : failed);
      caller.wake();
    };
    cancel_taker* const who = cancels.taker(pid, session);
    if (who == nullptr) return heard(true);  // it has gone, and with it what ran
    who->take_cancel(std::move(heard));
  });
  runtime::deadline deadline(*context->loop, context->changed, limits::cancel_patience);
  while (answer->load() == unknown && !deadline.passed())
    co_await context->changed.wait();
  co_return answer->load() == done;
}

runtime::task<> serve_own(login_context* context, std::uint32_t pid, cancel_owner owner) {
  const std::uint64_t session = owner.session;
  bool sent = false;
  if (owner.where != nullptr) {
    sent = co_await ask_pooled_session(context, pid, std::move(owner));
  } else {
    sent = co_await send_cancel(context->loop, std::move(owner.target), &context->server);
  }
  note(*context, sent ? cancel_result::forwarded : cancel_result::server_unreachable, session);
}

/// Whoever asks is told at once where the session is this gateway's own, so that it can leave the others.
runtime::task<> answer_peer(login_context* context, std::uint32_t pid, peer_nonce nonce,
                            std::vector<std::byte> key, std::optional<replica_keys> signer) {
  const replica_desk& desk = *context->shared->replicas;
  const replica_keys* with = signer ? &*signer : nullptr;
  peer_answer answer{.known = true, .number = desk.number.load(), .instance = desk.instance};
  auto owner = context->shared->cancels.find(pid, key);
  if (owner) {
    context->client.write(encode_answer(answer, nonce, with));
    co_return co_await serve_own(context, pid, std::move(owner));
  }
  answer.known = co_await ask_elder(context, pid, std::move(key));
  context->client.write(encode_answer(answer, nonce, with));
  // The elder, or the replica that asks, has it on record.
  context->shared->cancel_requests.add(answer.known ? cancel_result::forwarded
                                                    : cancel_result::no_such_session);
}

/// A question without a signature of ours is not looked at; where there is no secret, it may be a guess.
runtime::task<> serve_peer(login_context* context, std::uint32_t pid, std::vector<std::byte> packed) {
  replica_desk& desk = *context->shared->replicas;
  const auto question = read_question(packed);
  const auto keys = desk.keys.valid(context->loop->now());
  std::optional<replica_keys> signer;
  if (const replica_keys* found = signer_of(*question, pid, keys)) signer = *found;
  if (!signer && !keys.empty()) co_return note(*context, cancel_result::not_a_peer);
  if (!signer && !desk.guesses.take(source_of(*context), context->loop->now()))
    co_return note(*context, cancel_result::rate_limited);
  std::vector<std::byte> key(question->key.begin(), question->key.end());
  co_await answer_peer(context, pid, question->nonce, std::move(key), std::move(signer));
}

/// One key on its way to the other replicas.
struct forwarding {
  std::uint16_t number = 0;  ///< of the replica whose key it says it is
  bool genuine = false;      ///< signed with the shared secret: no guess
  admission::place of_all;
  admission::place of_guesses;
};

/// False: too many are under way, or have been guesses.
bool take_places(login_context& context, forwarding& made) {
  admission& counts = context.shared->admissions;
  if (!made.genuine) made.of_guesses = counts.enter("cancel:guesses", limits::forwarded_guesses);
  if (!made.genuine && !made.of_guesses) return false;
  made.of_all = counts.enter("cancel:forwarded", limits::forwarded_cancels);
  if (!made.of_all) return false;
  return made.genuine || context.shared->replicas->guesses.take(source_of(context), context.loop->now());
}

/// First those that say they are this replica, then those of which that is not known.
runtime::task<cancel_result> ask_around(login_context* context, const forwarding* how, std::uint32_t pid,
                                        std::vector<std::byte> key) {
  using state = peer_ask::state;
  const peer_table& peers = context->shared->replicas->peers;
  bool silent = false;
  auto whom = peers.named(how->number);
  for (int round = 0; round < 2; ++round) {
    const auto said = co_await ask_peers(context, std::move(whom), pid, key);
    if (said == state::served) co_return cancel_result::forwarded_to_peer;
    silent = silent || said == state::unreachable;
    whom = peers.unsure(how->number, how->genuine, context->loop->now());
  }
  co_return silent ? cancel_result::peer_unreachable : cancel_result::unknown_key;
}

runtime::task<cancel_result> forward_to_peers(login_context* context, std::uint32_t pid,
                                              std::vector<std::byte> key) {
  replica_desk& desk = *context->shared->replicas;
  if (desk.peers.empty()) co_return cancel_result::no_such_session;
  const auto facts = desk.keys.read(pid, key, context->loop->now());
  forwarding made{.number = facts ? facts->replica : cancel_pid::decode(pid).replica,
                  .genuine = facts.has_value(),
                  .of_all = {},
                  .of_guesses = {}};
  const bool is_a_key = key.size() == short_cancel_key_bytes || key.size() == long_cancel_key_bytes;
  if (!is_a_key || made.number == 0) co_return cancel_result::unknown_key;
  if (!take_places(*context, made)) co_return cancel_result::rate_limited;
  const auto result = co_await ask_around(context, &made, pid, std::move(key));
  if (result == cancel_result::forwarded_to_peer && !made.genuine)
    desk.guesses.give_back(source_of(*context));
  co_return result;
}

runtime::task<> serve_client(login_context* context, std::uint32_t pid, std::vector<std::byte> key) {
  if (auto owner = context->shared->cancels.find(pid, key)) {
    if (context->facts->passed_on) context->client.write(as_bytes(cancel_known));
    co_return co_await serve_own(context, pid, std::move(owner));
  }
  if (co_await ask_elder(context, pid, key)) {
    // It knows the session, and has it on record.
    co_return context->shared->cancel_requests.add(cancel_result::forwarded);
  }
  if (context->facts->passed_on) co_return;
  if (context->listener().tls.mode == config::listener_tls_mode::passthrough) {
    // The key is the server's own: only a server can tell whose it is.
    const bool sent = co_await offer_cancel(context, pid, std::move(key));
    co_return note(*context, sent ? cancel_result::forwarded : cancel_result::no_such_session);
  }
  note(*context, co_await forward_to_peers(context, pid, std::move(key)));
}

}  // namespace

runtime::task<step<>> serve_cancel(login_context* context, std::uint32_t pid, std::vector<std::byte> key) {
  if (!context->facts->passed_on && read_question(key)) {
    co_await serve_peer(context, pid, std::move(key));
  } else {
    co_await serve_client(context, pid, std::move(key));
  }
  co_return std::unexpected(
      login_end{.cause = {cause::client_eof}, .detail = "cancel request", .silent = true});
}

}  // namespace trunkline::session
