#include "tls/client_context.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include "base/limits.h"
#include "tls/client_sessions.h"
#include "tls/context_settings.h"
#include "tls/credentials.h"
#include "tls/engine_seed.h"
#include "tls/server_names.h"
#include "tls/verify_callback.h"

namespace trunkline::tls {

struct client_context::state {
  ssl_context_ptr context;
  verification verify = verification::none;
  client_sessions sessions{limits::tls_client_sessions};
};

namespace {

bool is_ip_literal(const std::string& name) {
  in6_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 || inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

/// Answers 0: we did not take over the reference to the session.
int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const engine* running = engine_access::of(ssl);
  if (running == nullptr || SSL_SESSION_is_resumable(session) != 1) return 0;
  auto* state = static_cast<client_context::state*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  state->sessions.keep(engine_access::name(*running), *session);
  return 0;
}

result<> trust(SSL_CTX& context, const client_settings& settings, std::vector<std::string>& files) {
  if (settings.verify == verification::none) return {};
  SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, note_verification);
  // Nobody is trusted: every handshake fails, and says so.
  if (settings.ca_text && settings.ca_text->empty()) return {};
  if (settings.ca_file.empty() && !settings.ca_text) {
    if (SSL_CTX_set_default_verify_paths(&context) == 1) return {};
    return fail(configuration_error("the system's authorities cannot be loaded: " + take_openssl_reason()));
  }
  const std::string& name = settings.ca_text ? settings.ca_name : settings.ca_file;
  auto authorities =
      settings.ca_text ? parse_authorities(*settings.ca_text, name) : load_authorities(settings.ca_file);
  if (!authorities) return fail(authorities.error());
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  for (int i = 0; i < sk_X509_num(authorities->get()); ++i) {
    if (X509_STORE_add_cert(store, sk_X509_value(authorities->get(), i)) == 1) continue;
    return fail(configuration_error(name + ": cannot be used: " + take_openssl_reason()));
  }
  if (!settings.ca_text) files.push_back(settings.ca_file);
  return {};
}

/// True when the session will be checked against the name, or need not be.
bool demand_name(SSL* ssl, const std::string& name, bool ip_literal) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  if (ip_literal) return X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
}

}  // namespace

struct client_context_builder {
  const client_settings& settings;
  std::chrono::system_clock::time_point now;
  std::shared_ptr<client_context::state> state;
  std::shared_ptr<client_context> built;

  result<> run() {
    state->verify = settings.verify;
    state->context.reset(SSL_CTX_new(TLS_client_method()));
    if (state->context == nullptr) return fail(configuration_error("OpenSSL: " + take_openssl_reason()));
    SSL_CTX& context = *state->context;
    if (auto done = apply_common_settings(context, settings.min_version); !done) return done;
    if (auto done = trust(context, settings, built->files_); !done) return done;
    if (auto done = use_own_certificate(context); !done) return done;

    const std::string_view alpn = alpn_wire_list();
    SSL_CTX_set_alpn_protos(&context, reinterpret_cast<const unsigned char*>(alpn.data()),
                            static_cast<unsigned int>(alpn.size()));
    SSL_CTX_set_app_data(&context, state.get());
    if (!settings.resumes) return {};
    SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(&context, on_new_session);
    return {};
  }

  result<> use_own_certificate(SSL_CTX& context) {
    if (settings.cert_file.empty() && settings.key_file.empty()) return {};
    if (settings.cert_file.empty() || settings.key_file.empty()) {
      return fail(
          configuration_error("a client certificate needs both its certificate file and its key file"));
    }
    auto loaded = load_credentials(settings.cert_file, settings.key_file, now, built->warnings_);
    if (!loaded) return fail(loaded.error());
    built->files_.push_back(settings.cert_file);
    built->files_.push_back(settings.key_file);
    return use_credentials(context, *loaded, settings.cert_file);
  }
};

result<std::shared_ptr<const client_context>> client_context::build(
    const client_settings& settings, std::chrono::system_clock::time_point now) {
  auto inner = std::make_shared<state>();
  client_context_builder builder{settings, now, inner, std::make_shared<client_context>(inner)};
  if (auto done = builder.run(); !done) return fail(done.error());
  return builder.built;
}

client_context::client_context(std::shared_ptr<state> inner) : state_(std::move(inner)) {}

engine client_context::connect(std::string_view server_name, negotiation how) const {
  const std::string name = normal_name(server_name);
  const bool ip_literal = is_ip_literal(name);
  engine_seed seed{.ssl = SSL_new(state_->context.get()), .context = state_, .name = name};
  seed.direct = how == negotiation::direct;
  if (seed.ssl == nullptr) return engine(std::move(seed));
  SSL_set_connect_state(seed.ssl);
  if (!name.empty() && !ip_literal && SSL_set_tlsext_host_name(seed.ssl, name.c_str()) != 1) {
    seed.problem = "the server name is too long for TLS";
  }
  if (state_->verify == verification::verify_full &&
      (name.empty() || !demand_name(seed.ssl, name, ip_literal))) {
    seed.problem = "the server's certificate cannot be checked: there is no usable server name";
  }
  const ssl_session_ptr session = name.empty() ? nullptr : state_->sessions.find(name);
  if (session != nullptr) SSL_set_session(seed.ssl, session.get());
  ERR_clear_error();
  return engine(std::move(seed));
}

}  // namespace trunkline::tls
