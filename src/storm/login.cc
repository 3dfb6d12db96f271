#include "storm/login.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "protocol/authentication.h"
#include "protocol/startup_message.h"
#include "runtime/random.h"
#include "storm/reply_check.h"

namespace trunkline::storm {
namespace {

/// One login; the messages of the server drive it.
class proof {
 public:
  explicit proof(connection* over) : line_(over) {}

  void send_startup();
  /// True: AuthenticationOk.
  static runtime::task<outcome<bool>> take(proof* self, std::vector<std::byte> body);

 private:
  static runtime::task<outcome<>> answer_challenge(proof* self, std::vector<std::byte> data);

  outcome<> begin_scram(const protocol::authentication_sasl& offer);
  outcome<> send_password();
  outcome<> send_md5(const auth::md5_salt& salt);
  const conninfo& dsn() const { return *line_->of().dsn; }
  std::unexpected<problem> refuse(std::string why) const {
    return std::unexpected(line_->failed(fault::login_refused, std::move(why)));
  }

  connection* line_;
  std::optional<auth::scram_client> scram_;
};

void proof::send_startup() {
  std::vector<protocol::startup_parameter> parameters{{"user", dsn().user}, {"database", dsn().database}};
  if (!dsn().application_name.empty()) parameters.push_back({"application_name", dsn().application_name});
  if (!dsn().options.empty()) parameters.push_back({"options", dsn().options});
  const std::string timeout = fmt::format("{}", line_->of().statement_timeout().count());
  if (line_->of().said->facts.takes_statement_timeout) parameters.push_back({"statement_timeout", timeout});
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {}, parameters);
  line_->channel().write(packet);
}

outcome<> proof::begin_scram(const protocol::authentication_sasl& offer) {
  if (dsn().password.empty()) return refuse("a password is asked for, and there is none");
  auth::client_transport transport;
  transport.tls = line_->tls() != nullptr;
  if (transport.tls) {
    if (auto binding = line_->tls()->session().tls_server_end_point(); !binding.empty())
      transport.binding = std::move(binding);
  }
  auto mechanism = auth::choose_mechanism(offer.mechanisms, transport);
  if (!mechanism) return refuse(mechanism.error().message);
  auth::scram_client::options options;
  options.mechanism = *mechanism;
  options.transport = std::move(transport);
  for (const auto name : offer.mechanisms)
    options.server_offered_plus = options.server_offered_plus || name == protocol::scram_sha_256_plus;
  options.client_nonce = runtime::random_bytes<sizeof(auth::nonce)>();
  scram_.emplace(std::move(options));
  std::vector<std::byte> out;
  protocol::append_sasl_initial_response(out, auth::name_of(*mechanism), as_bytes(scram_->client_first()));
  line_->channel().write(out);
  return {};
}

runtime::task<outcome<>> proof::answer_challenge(proof* self, std::vector<std::byte> data) {
  const auto began = std::chrono::steady_clock::now();
  auto wanted = self->scram_->on_server_first(data);
  if (!wanted) co_return self->refuse(wanted.error().message);
  path& of = self->line_->of();
  const secret_text& password = of.dsn->password;
  auto keys = of.keys->find(of.dsn->user, password.reveal(), wanted->salt, wanted->iterations);
  if (!keys) {
    runtime::job<auth::client_keys> work(*of.where, *of.work, self->line_->changed());
    const bool accepted = work.start([password, salt = wanted->salt, iterations = wanted->iterations] {
      return auth::derive(password.reveal(), salt, iterations);
    });
    if (!accepted) co_return self->refuse("too many keys wait to be derived in this process");
    while (!work.done())
      co_await self->line_->changed().wait();
    keys = work.take();
    of.keys->put(of.dsn->user, password.reveal(), wanted->salt, wanted->iterations, *keys);
  }
  auto answer = self->scram_->provide(*keys);
  if (!answer) co_return self->refuse(answer.error().message);
  std::vector<std::byte> out;
  protocol::append_sasl_response(out, as_bytes(*answer));
  self->line_->channel().write(out);
  self->line_->forgive(std::chrono::steady_clock::now() - began);
  co_return outcome<>();
}

outcome<> proof::send_password() {
  if (dsn().password.empty()) return refuse("a password is asked for, and there is none");
  if (line_->tls() == nullptr && !line_->place().server.is_unix())
    return refuse("a password in clear text is asked for over a plaintext connection");
  std::vector<std::byte> out;
  protocol::append_password_message(out, dsn().password.reveal());
  line_->channel().write(out);
  wipe(out.data(), out.size());
  return {};
}

outcome<> proof::send_md5(const auth::md5_salt& salt) {
  if (dsn().password.empty()) return refuse("a password is asked for, and there is none");
  std::vector<std::byte> out;
  protocol::append_password_message(out, auth::md5_response(dsn().password, dsn().user, salt).reveal());
  line_->channel().write(out);
  return {};
}

runtime::task<outcome<bool>> proof::take(proof* self, std::vector<std::byte> body) {
  const auto message = protocol::decode_authentication(body);
  if (!message)
    co_return std::unexpected(self->line_->failed(fault::out_of_protocol, message.error().message));
  outcome<> done;
  if (std::holds_alternative<protocol::authentication_ok>(*message)) {
    if (self->scram_ && !self->scram_->server_proved())
      co_return self->refuse("the login was accepted by somebody who did not prove to know the password");
    co_return true;
  }
  if (const auto* sasl = std::get_if<protocol::authentication_sasl>(&*message)) {
    done = self->begin_scram(*sasl);
  } else if (const auto* more = std::get_if<protocol::authentication_sasl_continue>(&*message);
             more && self->scram_) {
    std::vector<std::byte> data(more->data.begin(), more->data.end());
    done = co_await answer_challenge(self, std::move(data));
  } else if (const auto* last = std::get_if<protocol::authentication_sasl_final>(&*message);
             last && self->scram_) {
    if (auto proved = self->scram_->on_server_final(last->data); !proved)
      done = self->refuse(proved.error().message);
  } else if (const auto* md5 = std::get_if<protocol::authentication_md5_password>(&*message)) {
    done = self->send_md5(md5->salt);
  } else if (std::holds_alternative<protocol::authentication_cleartext_password>(*message)) {
    done = self->send_password();
  } else {
    done = self->refuse("a way to log in is asked for that is not spoken here");
  }
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return false;
}

}  // namespace

runtime::task<outcome<>> log_in(connection* over) {
  proof mine(over);
  mine.send_startup();
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
    auto done = co_await proof::take(&mine, std::move(body));
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done) co_return outcome<>();
  }
}

}  // namespace trunkline::storm
