#include "client/login_proof.h"

#include <utility>
#include <variant>

namespace trunkline::client {
namespace {

std::unexpected<error> refuse(std::string why) {
  return fail({.source = error_source::server,
               .reaction = error_reaction::close,
               .code = sqlstates::invalid_authorization,
               .message = std::move(why)});
}

constexpr const char* no_password = "a password is asked for, and there is none";

}  // namespace

login_proof::login_proof(const conninfo& dsn, login_transport below, auth::nonce fresh)
    : dsn_(&dsn), below_(std::move(below)), nonce_(fresh) {}

result<login_step> login_proof::take(byte_span authentication_body) {
  const auto message = protocol::decode_authentication(authentication_body);
  if (!message) return fail(message.error());
  result<> done;
  if (std::holds_alternative<protocol::authentication_ok>(*message)) {
    if (scram_ && !scram_->server_proved())
      return refuse("the login was accepted by somebody who did not prove to know the password");
    return login_step::accepted;
  }
  if (const auto* sasl = std::get_if<protocol::authentication_sasl>(&*message)) {
    done = begin_scram(*sasl);
  } else if (const auto* more = std::get_if<protocol::authentication_sasl_continue>(&*message);
             more && scram_) {
    auto wanted = scram_->on_server_first(more->data);
    if (!wanted) return fail(wanted.error());
    wanted_ = std::move(*wanted);
    return login_step::wants_keys;
  } else if (const auto* last = std::get_if<protocol::authentication_sasl_final>(&*message); last && scram_) {
    done = scram_->on_server_final(last->data);
  } else if (const auto* md5 = std::get_if<protocol::authentication_md5_password>(&*message)) {
    done = send_md5(md5->salt);
  } else if (std::holds_alternative<protocol::authentication_cleartext_password>(*message)) {
    done = send_password();
  } else {
    done = refuse("a way to log in is asked for that is not spoken here");
  }
  if (!done) return fail(done.error());
  return login_step::more;
}

result<> login_proof::begin_scram(const protocol::authentication_sasl& offer) {
  if (dsn_->password.empty()) return refuse(no_password);
  auth::client_transport transport{.tls = below_.tls};
  if (!below_.binding.empty()) transport.binding = below_.binding;
  auto mechanism = auth::choose_mechanism(offer.mechanisms, transport);
  if (!mechanism) return fail(mechanism.error());
  auth::scram_client::options options;
  options.mechanism = *mechanism;
  options.transport = std::move(transport);
  for (const auto name : offer.mechanisms)
    options.server_offered_plus = options.server_offered_plus || name == protocol::scram_sha_256_plus;
  options.client_nonce = nonce_;
  method_ = auth::name_of(*mechanism);
  scram_.emplace(std::move(options));
  protocol::append_sasl_initial_response(answer_, method_, as_bytes(scram_->client_first()));
  return {};
}

result<> login_proof::provide(const auth::client_keys& keys) {
  auto text = scram_->provide(keys);
  if (!text) return fail(text.error());
  protocol::append_sasl_response(answer_, as_bytes(*text));
  return {};
}

result<> login_proof::send_password() {
  method_ = "password";
  if (dsn_->password.empty()) return refuse(no_password);
  if (!below_.tls && !below_.local)
    return refuse("a password in clear text is asked for over a plaintext connection");
  protocol::append_password_message(answer_, dsn_->password.reveal());
  return {};
}

result<> login_proof::send_md5(const auth::md5_salt& salt) {
  method_ = "md5";
  if (dsn_->password.empty()) return refuse(no_password);
  protocol::append_password_message(answer_, auth::md5_response(dsn_->password, dsn_->user, salt).reveal());
  return {};
}

}  // namespace trunkline::client
