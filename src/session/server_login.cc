#include "session/server_login.h"

#include <utility>
#include <variant>

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "protocol/authentication.h"
#include "protocol/notice_fields.h"
#include "runtime/random.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

error cannot_prove(std::string message, std::string hint) {
  return {.code = sqlstates::invalid_authorization, .message = std::move(message), .hint = std::move(hint)};
}

/// One login; the messages of the server drive it.
class exchange {
 public:
  explicit exchange(server_login_request request) : request_(std::move(request)) {}

  static runtime::task<step<>> run(exchange* self);

 private:
  /// True: AuthenticationOk.
  static runtime::task<step<bool>> take(exchange* self, protocol::authentication_message message);
  static runtime::task<step<>> take_challenge(exchange* self, auth::key_request wanted);

  step<> begin_scram(const protocol::authentication_sasl& offer);
  step<> send_password();
  step<> send_md5(const auth::md5_salt& salt);
  void send_sasl(std::string_view data);
  bool cleartext_is_safe() const;

  server_login_request request_;
  std::optional<auth::scram_client> scram_;
};

step<> exchange::begin_scram(const protocol::authentication_sasl& offer) {
  if (request_.secret.password.empty() && !request_.secret.recovered) {
    return std::unexpected(refused(cannot_prove("the server asks for a password and the gateway has none",
                                                "Set credentials on the route.")));
  }
  if (!request_.secret.recovered && auth::looks_like_md5_hash(request_.secret.password.reveal())) {
    return std::unexpected(
        refused(cannot_prove("the server asks for SCRAM and the gateway has an md5 hash only",
                             "Set credentials with the password itself on the route.")));
  }
  auth::client_transport transport;
  transport.tls = request_.tls != nullptr;
  if (transport.tls) {
    if (auto binding = request_.tls->session().tls_server_end_point(); !binding.empty()) {
      transport.binding = std::move(binding);
    }
  }
  auto mechanism = auth::choose_mechanism(offer.mechanisms, transport);
  if (!mechanism) return std::unexpected(refused(mechanism.error()));
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
  if (secret.recovered) {
    answer = self->scram_->provide(*secret.recovered);
  } else {
    auto keys = co_await derive_keys(self->request_.context, secret.user, secret.password,
                                     std::move(wanted.salt), wanted.iterations);
    if (!keys) co_return std::unexpected(std::move(keys.error()));
    answer = self->scram_->provide(*keys);
  }
  if (!answer) co_return std::unexpected(refused(answer.error()));
  self->send_sasl(*answer);
  co_return step<>();
}

void exchange::send_sasl(std::string_view data) {
  std::vector<std::byte> out;
  protocol::append_sasl_response(out, as_bytes(data));
  request_.server->write(out);
}

bool exchange::cleartext_is_safe() const {
  return request_.tls != nullptr || request_.local || request_.context->upstream().allow_cleartext_password;
}

step<> exchange::send_password() {
  const secret_text& password = request_.secret.password;
  if (password.empty() || auth::looks_like_md5_hash(password.reveal())) {
    return std::unexpected(
        refused(cannot_prove("the server asks for a cleartext password, which the gateway does not have",
                             "Set credentials on the route.")));
  }
  if (!cleartext_is_safe()) {
    return std::unexpected(
        refused(cannot_prove("the server asks for a cleartext password over a plaintext connection",
                             "Use TLS to the server, or scram-sha-256 in its pg_hba.conf.")));
  }
  std::vector<std::byte> out;
  protocol::append_password_message(out, password.reveal());
  request_.server->write(out);
  wipe(out.data(), out.size());
  return {};
}

step<> exchange::send_md5(const auth::md5_salt& salt) {
  if (request_.secret.password.empty()) {
    return std::unexpected(
        refused(cannot_prove("the server asks for an MD5 password, which the gateway does not have",
                             "Set credentials on the route.")));
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
      co_return std::unexpected(
          refused(cannot_prove("the server accepted the login without proving that it knows the "
                               "password",
                               "Is this the right server?")));
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
      done = std::unexpected(refused(wanted.error()));
    }
  } else if (auto* final = std::get_if<protocol::authentication_sasl_final>(&message);
             final && self->scram_) {
    if (auto proved = self->scram_->on_server_final(final->data); !proved) {
      done = std::unexpected(refused(proved.error()));
    }
  } else if (auto* md5 = std::get_if<protocol::authentication_md5_password>(&message)) {
    done = self->send_md5(md5->salt);
  } else if (std::holds_alternative<protocol::authentication_cleartext_password>(message)) {
    done = self->send_password();
  } else {
    done = std::unexpected(
        refused(cannot_prove("the server asks for an authentication method that the gateway does "
                             "not speak",
                             "Allow scram-sha-256 for the gateway in pg_hba.conf.")));
  }
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return false;
}

runtime::task<step<>> exchange::run(exchange* self) {
  net::channel* server = self->request_.server;
  server->write(self->request_.startup_packet);
  for (;;) {
    auto message = co_await read_message(server, error_source::server);
    if (!message) co_return std::unexpected(std::move(message.error()));
    // The view ends where the channel receives more: copy what is needed across the next wait.
    const std::vector<std::byte> body(message->body.begin(), message->body.end());
    const char type = message->type;
    server->consume(message->size);
    if (type == 'E') {
      const protocol::notice_fields fields(body);
      co_return std::unexpected(login_end{.cause = {cause::login_failed, fields.code()},
                                          .detail = std::string(fields.message()),
                                          .tell = error{.source = error_source::server,
                                                        .code = fields.code(),
                                                        .message = std::string(fields.message())}});
    }
    if (type == 'v') self->request_.context->negotiated = body;
    if (type == 'v' || type == 'N') continue;
    if (type != 'R') {
      co_return std::unexpected(violation_by(
          error_source::server, {.source = error_source::server,
                                 .code = sqlstates::protocol_violation,
                                 .message = "unexpected message from the server during authentication"}));
    }
    auto decoded = protocol::decode_authentication(body);
    if (!decoded) co_return std::unexpected(violation_by(error_source::server, decoded.error()));
    auto done = co_await take(self, std::move(*decoded));
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done) co_return step<>();
  }
}

}  // namespace

runtime::task<step<>> log_in_to_server(server_login_request request) {
  exchange one(std::move(request));
  co_return co_await exchange::run(&one);
}

runtime::task<step<auth::client_keys>> derive_keys(login_context* context, std::string user,
                                                   secret_text password, std::vector<std::byte> salt,
                                                   std::uint32_t iterations) {
  auth::key_cache& cache = context->shared->keys;
  if (auto known = cache.find(user, password.reveal(), salt, iterations)) co_return std::move(*known);
  runtime::job<auth::client_keys> work(*context->loop, context->shared->work, context->changed);
  const bool accepted =
      work.start([password, salt, iterations] { return auth::derive(password.reveal(), salt, iterations); });
  if (!accepted) {
    co_return std::unexpected(login_end{.cause = {cause::limit},
                                        .tell = error{.code = sqlstates::too_many_connections,
                                                      .message = "too many logins wait to be computed"}});
  }
  while (!work.done())
    co_await context->changed.wait();
  auth::client_keys keys = work.take();
  cache.put(user, password.reveal(), salt, iterations, keys);
  co_return keys;
}

}  // namespace trunkline::session
