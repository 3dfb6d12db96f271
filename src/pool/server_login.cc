#include "pool/server_login.h"

#include <utility>
#include <variant>

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "base/limits.h"
#include "protocol/authentication.h"
#include "protocol/notice_fields.h"
#include "runtime/random.h"

namespace trunkline::pool {

namespace {

template <class T = void>
using step = std::expected<T, login_failure>;
using failure = login_failure::kind;

std::unexpected<login_failure> cannot_prove(std::string message, std::string hint) {
  return std::unexpected(login_failure{
      failure::unprovable,
      {.code = sqlstates::invalid_authorization, .message = std::move(message), .hint = std::move(hint)}});
}

std::unexpected<login_failure> unprovable(error why) {
  return std::unexpected(login_failure{failure::unprovable, std::move(why)});
}

std::unexpected<login_failure> violation(error why) {
  return std::unexpected(login_failure{failure::violation, std::move(why)});
}

error too_much_to_compute() {
  return {.code = sqlstates::too_many_connections, .message = "too many logins wait to be computed"};
}

/// One login; the messages of the server drive it.
class exchange {
 public:
  explicit exchange(server_login_request request) : request_(std::move(request)) { take_keys(); }

  static runtime::task<step<server_login>> run(exchange* self);

 private:
  /// True: AuthenticationOk.
  static runtime::task<step<bool>> take(exchange* self, protocol::authentication_message message);
  static runtime::task<step<>> take_challenge(exchange* self, auth::key_request wanted);

  void take_keys();
  step<> begin_scram(const protocol::authentication_sasl& offer);
  step<> send_password();
  step<> send_md5(const auth::md5_salt& salt);
  void send_sasl(std::string_view data);

  server_login_request request_;
  std::optional<auth::scram_client> scram_;
  bool has_own_keys_ = false;  ///< they stand where a password does
};

void exchange::take_keys() {
  server_secret& secret = request_.secret;
  if (!auth::looks_like_client_keys(secret.password.reveal())) return;
  auto keys = auth::parse_client_keys(secret.password.reveal());
  if (!keys) return;  // build_deployment has refused it
  secret.recovered = std::move(*keys);
  secret.password = {};
  has_own_keys_ = true;
}

step<> exchange::begin_scram(const protocol::authentication_sasl& offer) {
  if (request_.secret.password.empty() && !request_.secret.recovered) {
    return cannot_prove("the server asks for a password and the gateway has none",
                        "Set credentials on the route.");
  }
  if (!request_.secret.recovered && auth::looks_like_md5_hash(request_.secret.password.reveal())) {
    return cannot_prove("the server asks for SCRAM and the gateway has an md5 hash only",
                        "Set credentials with the password itself on the route.");
  }
  auth::client_transport transport;
  transport.tls = request_.tls != nullptr;
  if (transport.tls) {
    if (auto binding = request_.tls->session().tls_server_end_point(); !binding.empty()) {
      transport.binding = std::move(binding);
    }
  }
  auto mechanism = auth::choose_mechanism(offer.mechanisms, transport);
  if (!mechanism) return unprovable(mechanism.error());
  auth::scram_client::options options;
  options.mechanism = *mechanism;
  options.transport = std::move(transport);
  for (const auto name : offer.mechanisms) {
    options.server_offered_plus = options.server_offered_plus || name == protocol::scram_sha_256_plus;
  }
  options.client_nonce = runtime::random_bytes<sizeof(auth::nonce)>();
  scram_.emplace(std::move(options));
  std::vector<std::byte> out;
  protocol::append_sasl_initial_response(out, auth::name_of(*mechanism), as_bytes(scram_->client_first()));
  request_.server->write(out);
  return {};
}

runtime::task<step<>> exchange::take_challenge(exchange* self, auth::key_request wanted) {
  result<std::string> answer;
  const server_secret& secret = self->request_.secret;
  if (self->has_own_keys_ && !secret.recovered->are_for(wanted.salt, wanted.iterations)) {
    co_return std::unexpected(login_failure{
        failure::refused,
        {.code = sqlstates::invalid_password,
         .message =
             "the SCRAM keys of user \"" + secret.user + "\" are for another password than the server's",
         .hint = "Its verifier has changed: `trunkline scram-keys` makes keys for the one that it has."}});
  }
  if (secret.recovered) {
    answer = self->scram_->provide(*secret.recovered);
  } else {
    auto keys = co_await derive_keys(self->request_.keys, &self->request_.server->changed(), secret.user,
                                     secret.password, std::move(wanted.salt), wanted.iterations);
    if (!keys) co_return std::unexpected(login_failure{failure::busy, too_much_to_compute()});
    answer = self->scram_->provide(*keys);
  }
  if (!answer) co_return unprovable(answer.error());
  self->send_sasl(*answer);
  co_return step<>();
}

void exchange::send_sasl(std::string_view data) {
  std::vector<std::byte> out;
  protocol::append_sasl_response(out, as_bytes(data));
  request_.server->write(out);
}

step<> exchange::send_password() {
  const secret_text& password = request_.secret.password;
  if (password.empty() || auth::looks_like_md5_hash(password.reveal())) {
    return cannot_prove("the server asks for a cleartext password, which the gateway does not have",
                        "Set credentials on the route.");
  }
  if (!request_.cleartext_is_safe) {
    return cannot_prove("the server asks for a cleartext password over a plaintext connection",
                        "Use TLS to the server, or scram-sha-256 in its pg_hba.conf.");
  }
  std::vector<std::byte> out;
  protocol::append_password_message(out, password.reveal());
  request_.server->write(out);
  wipe(out.data(), out.size());
  return {};
}

step<> exchange::send_md5(const auth::md5_salt& salt) {
  if (request_.secret.password.empty()) {
    return cannot_prove("the server asks for an MD5 password, which the gateway does not have",
                        "Set credentials on the route.");
  }
  std::vector<std::byte> out;
  protocol::append_password_message(
      out, auth::md5_response(request_.secret.password, request_.secret.user, salt).reveal());
  request_.server->write(out);
  return {};
}

runtime::task<step<bool>> exchange::take(exchange* self, protocol::authentication_message message) {
  step<> done;
  if (std::holds_alternative<protocol::authentication_ok>(message)) {
    if (self->scram_ && !self->scram_->server_proved()) {
      co_return cannot_prove("the server accepted the login without proving that it knows the password",
                             "Is this the right server?");
    }
    co_return true;
  }
  if (auto* sasl = std::get_if<protocol::authentication_sasl>(&message)) {
    done = self->begin_scram(*sasl);
  } else if (auto* more = std::get_if<protocol::authentication_sasl_continue>(&message);
             more && self->scram_) {
    auto wanted = self->scram_->on_server_first(more->data);
    if (wanted) {
      done = co_await take_challenge(self, std::move(*wanted));
    } else {
      done = unprovable(wanted.error());
    }
  } else if (auto* final = std::get_if<protocol::authentication_sasl_final>(&message);
             final && self->scram_) {
    if (auto proved = self->scram_->on_server_final(final->data); !proved) {
      done = unprovable(proved.error());
    }
  } else if (auto* md5 = std::get_if<protocol::authentication_md5_password>(&message)) {
    done = self->send_md5(md5->salt);
  } else if (std::holds_alternative<protocol::authentication_cleartext_password>(message)) {
    done = self->send_password();
  } else {
    done = cannot_prove("the server asks for an authentication method that the gateway does not speak",
                        "Allow scram-sha-256 for the gateway in pg_hba.conf.");
  }
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return false;
}

runtime::task<step<server_login>> exchange::run(exchange* self) {
  server_login made;
  net::channel* server = self->request_.server;
  server->write(self->request_.startup_packet);
  for (;;) {
    auto message = co_await read_server_message(server, self->request_.at);
    if (!message) co_return std::unexpected(std::move(message.error()));
    // The view ends where the channel receives more: copy what is needed across the next wait.
    const std::vector<std::byte> body(message->body.begin(), message->body.end());
    const char type = message->type;
    server->consume(message->size);
    if (type == 'E') {
      const protocol::notice_fields fields(body);
      co_return std::unexpected(login_failure{
          failure::refused,
          {.source = error_source::server, .code = fields.code(), .message = std::string(fields.message())}});
    }
    if (type == 'v') made.negotiated = body;
    if (type == 'v' || type == 'N') continue;
    if (type != 'R') {
      co_return violation({.source = error_source::server,
                           .code = sqlstates::protocol_violation,
                           .message = "unexpected message from the server during authentication"});
    }
    auto decoded = protocol::decode_authentication(body);
    if (!decoded) co_return violation(decoded.error());
    auto done = co_await take(self, std::move(*decoded));
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done) co_return made;
  }
}

}  // namespace

runtime::task<std::expected<server_login, login_failure>> log_in_to_server(server_login_request request) {
  exchange one(std::move(request));
  co_return co_await exchange::run(&one);
}

bool fall_back(server_secret& secret, const login_failure& why, runtime::time_point now) {
  const bool refused =
      why.what == login_failure::kind::refused && why.why.code == sqlstates::invalid_password;
  if (!refused || secret.is_before || secret.before == nullptr || now >= secret.before->until) return false;
  secret.password = secret.before->password;
  secret.is_before = true;
  return true;
}

runtime::task<std::optional<auth::client_keys>> derive_keys(key_deriver with, runtime::signal* changed,
                                                            std::string user, secret_text password,
                                                            std::vector<std::byte> salt,
                                                            std::uint32_t iterations) {
  if (auto known = with.cache->find(user, password.reveal(), salt, iterations)) co_return std::move(*known);
  runtime::job<auth::client_keys> work(*with.where, *with.work, *changed);
  const bool accepted =
      work.start([password, salt, iterations] { return auth::derive(password.reveal(), salt, iterations); });
  if (!accepted) co_return std::nullopt;
  while (!work.done())
    co_await changed->wait();
  auth::client_keys keys = work.take();
  with.cache->put(user, password.reveal(), salt, iterations, keys);
  co_return keys;
}

runtime::task<std::expected<protocol::frame, login_failure>> read_server_message(net::channel* from,
                                                                                 interest at) {
  for (;;) {
    auto read = protocol::next_frame(from->unread(), limits::login_message_bytes, error_source::server);
    if (auto* whole = std::get_if<protocol::frame>(&read)) co_return *whole;
    if (auto* wrong = std::get_if<protocol::bad>(&read)) co_return violation(wrong->why);
    if (from->ended() || at.is_lost()) {
      co_return std::unexpected(
          login_failure{failure::ended,
                        {.source = error_source::server,
                         .code = sqlstates::connection_failure,
                         .message = from->ended() ? "the server closed the connection during the login"
                                                  : "the server was found to be down during the login"}});
    }
    co_await from->changed().wait();
  }
}

}  // namespace trunkline::pool
