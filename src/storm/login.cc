#include "storm/login.h"

#include <fmt/format.h>

#include <utility>

#include "client/login_proof.h"
#include "protocol/startup_message.h"
#include "runtime/random.h"
#include "storm/reply_check.h"

namespace trunkline::storm {
namespace {

using trunkline::client::login_proof;
using trunkline::client::login_step;

void send_startup(connection& over) {
  const conninfo& dsn = *over.of().dsn;
  std::vector<protocol::startup_parameter> parameters{{"user", dsn.user}, {"database", dsn.database}};
  if (!dsn.application_name.empty()) parameters.push_back({"application_name", dsn.application_name});
  if (!dsn.options.empty()) parameters.push_back({"options", dsn.options});
  const std::string timeout = fmt::format("{}", over.of().statement_timeout().count());
  if (over.of().said->facts.takes_statement_timeout) parameters.push_back({"statement_timeout", timeout});
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {}, parameters);
  over.channel().write(packet);
}

std::unexpected<problem> refuse(const connection& over, std::string why) {
  return std::unexpected(over.failed(fault::login_refused, std::move(why)));
}

/// What the server says that makes no sense is not a refusal.
std::unexpected<problem> refuse(const connection& over, const error& why) {
  if (why.code == sqlstates::protocol_violation)
    return std::unexpected(over.failed(fault::out_of_protocol, why.message));
  return refuse(over, why.message);
}

/// PBKDF2, off the loop; its time is not the path's.
runtime::task<outcome<>> derive_keys(connection* over, login_proof* proof) {
  const auto began = std::chrono::steady_clock::now();
  path& of = over->of();
  const auth::key_request& wanted = proof->wanted();
  const secret_text& password = of.dsn->password;
  auto keys = of.keys->find(of.dsn->user, password.reveal(), wanted.salt, wanted.iterations);
  if (!keys) {
    runtime::job<auth::client_keys> work(*of.where, *of.work, over->changed());
    const bool accepted = work.start([password, salt = wanted.salt, iterations = wanted.iterations] {
      return auth::derive(password.reveal(), salt, iterations);
    });
    if (!accepted) co_return refuse(*over, "too many keys wait to be derived in this process");
    while (!work.done())
      co_await over->changed().wait();
    keys = work.take();
    of.keys->put(of.dsn->user, password.reveal(), wanted.salt, wanted.iterations, *keys);
  }
  if (auto done = proof->provide(*keys); !done) co_return refuse(*over, done.error());
  over->forgive(std::chrono::steady_clock::now() - began);
  co_return outcome<>();
}

/// True: AuthenticationOk.
runtime::task<outcome<bool>> take(connection* over, login_proof* proof, std::vector<std::byte> body) {
  auto step = proof->take(body);
  if (!step) co_return refuse(*over, step.error());
  if (*step == login_step::wants_keys) {
    auto derived = co_await derive_keys(over, proof);
    if (!derived) co_return std::unexpected(std::move(derived.error()));
  }
  auto out = proof->take_answer();
  if (!out.empty()) over->channel().write(out);
  wipe(out.data(), out.size());
  co_return *step == login_step::accepted;
}

}  // namespace

runtime::task<outcome<>> log_in(connection* over) {
  trunkline::client::login_transport below{.tls = over->tls() != nullptr,
                                           .local = over->place().server.is_unix()};
  if (below.tls) below.binding = over->tls()->session().tls_server_end_point();
  login_proof proof(*over->of().dsn, std::move(below), runtime::random_bytes<sizeof(auth::nonce)>());
  send_startup(*over);
  for (;;) {
    auto message = co_await connection::next_message(over);
    if (!message) co_return std::unexpected(std::move(message.error()));
    // The view ends where the channel receives more.
    std::vector<std::byte> body(message->body.begin(), message->body.end());
    const char type = message->type;
    over->channel().consume(message->size);
    if (type == 'E') co_return std::unexpected(problem_of(body, stage::auth));
    if (type == 'N' || type == 'v') continue;
    if (type != 'R')
      co_return std::unexpected(over->failed(fault::not_postgres, "no message of a login came"));
    auto done = co_await take(over, &proof, std::move(body));
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done) co_return outcome<>();
  }
}

}  // namespace trunkline::storm
