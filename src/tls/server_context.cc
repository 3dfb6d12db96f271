#include "tls/server_context.h"

#include <openssl/sha.h>

#include <array>

#include "tls/context_settings.h"
#include "tls/credentials.h"
#include "tls/engine_seed.h"
#include "tls/server_callbacks.h"
#include "tls/verify_callback.h"

namespace trunkline::tls {
namespace {

/// A session may be resumed only where the client would have been verified in the same way: another list of
/// authorities or another demand makes another context, and OpenSSL then falls back to a full handshake.
std::array<unsigned char, SHA256_DIGEST_LENGTH> resumption_context(const server_settings& settings,
                                                                   STACK_OF(X509) * authorities) {
  std::string seed = "trunkline session context 1";
  seed += static_cast<char>('0' + static_cast<int>(settings.client_certificate));
  for (int i = 0; authorities != nullptr && i < sk_X509_num(authorities); ++i) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
    unsigned int size = 0;
    if (X509_digest(sk_X509_value(authorities, i), EVP_sha256(), digest.data(), &size) != 1) size = 0;
    seed.append(reinterpret_cast<const char*>(digest.data()), size);
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> context{};
  SHA256(reinterpret_cast<const unsigned char*>(seed.data()), seed.size(), context.data());
  return context;
}

result<> demand_client_certificates(SSL_CTX& context, const server_settings& settings,
                                    STACK_OF(X509) * authorities) {
  X509_STORE* store = SSL_CTX_get_cert_store(&context);
  for (int i = 0; i < sk_X509_num(authorities); ++i) {
    X509* authority = sk_X509_value(authorities, i);
    if (X509_STORE_add_cert(store, authority) != 1 || SSL_CTX_add_client_CA(&context, authority) != 1) {
      return fail(
          configuration_error(settings.client_ca_file + ": cannot be used: " + take_openssl_reason()));
    }
  }
  int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;
  if (settings.client_certificate == client_certificates::require) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(&context, mode, note_verification);
  return {};
}

std::vector<std::string> names_for(const certificate_source& source, const certificate_facts& facts) {
  if (!source.server_names.empty()) return source.server_names;
  if (!facts.dns_names.empty()) return facts.dns_names;
  return facts.common_name.empty() ? std::vector<std::string>() : std::vector<std::string>{facts.common_name};
}

}  // namespace

struct server_context_builder {
  const server_settings& settings;
  std::chrono::system_clock::time_point now;
  std::shared_ptr<server_context::state> state;
  std::shared_ptr<server_context> built;
  x509_stack_ptr authorities = nullptr;

  result<> run() {
    if (settings.certificates.empty())
      return fail(configuration_error("no certificate is configured for TLS"));
    if (settings.client_certificate != client_certificates::none) {
      if (settings.client_ca_file.empty()) {
        return fail(
            configuration_error("client certificates are asked for, but no file of authorities is named"));
      }
      auto loaded = load_authorities(settings.client_ca_file);
      if (!loaded) return fail(loaded.error());
      authorities = std::move(*loaded);
      built->files_.push_back(settings.client_ca_file);
    }
    for (const certificate_source& source : settings.certificates) {
      if (auto added = add(source); !added) return added;
    }
    return {};
  }

  result<> add(const certificate_source& source) {
    auto loaded = load_credentials(source.cert_file, source.key_file, now, built->warnings_);
    if (!loaded) return fail(loaded.error());
    ssl_context_ptr context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) return fail(configuration_error("OpenSSL: " + take_openssl_reason()));
    if (auto done = apply_common_settings(*context, settings.min_version); !done) return done;
    if (auto done = use_credentials(*context, *loaded, source.cert_file); !done) return done;
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    const auto id = resumption_context(settings, authorities.get());
    SSL_CTX_set_session_id_context(context.get(), id.data(), id.size());
    if (authorities != nullptr) {
      if (auto done = demand_client_certificates(*context, settings, authorities.get()); !done) return done;
    }
    install_server_callbacks(*context, *state);

    loaded_certificate facts{source.cert_file, {}, facts_of(*loaded->leaf)};
    facts.server_names = names_for(source, facts.facts);
    for (const std::string& name : facts.server_names)
      state->names.add(name, state->contexts.size());
    state->contexts.push_back(std::move(context));
    built->loaded_.push_back(std::move(facts));
    built->files_.push_back(source.cert_file);
    built->files_.push_back(source.key_file);
    return {};
  }
};

result<std::shared_ptr<const server_context>> server_context::build(
    const server_settings& settings, std::shared_ptr<const ticket_keys> tickets,
    std::chrono::system_clock::time_point now) {
  auto inner = std::make_shared<state>();
  inner->tickets = tickets != nullptr ? std::move(tickets) : std::make_shared<const ticket_keys>();
  server_context_builder builder{settings, now, inner, std::make_shared<server_context>(inner)};
  if (auto done = builder.run(); !done) return fail(done.error());
  return builder.built;
}

server_context::server_context(std::shared_ptr<state> inner) : state_(std::move(inner)) {}

engine server_context::accept(negotiation how) const {
  SSL* ssl = SSL_new(state_->contexts.front().get());
  if (ssl != nullptr) SSL_set_accept_state(ssl);
  return engine({.ssl = ssl, .context = state_, .server = true, .direct = how == negotiation::direct});
}

std::size_t server_context::certificate_for(std::string_view server_name) const {
  return state_->names.find(server_name).value_or(0);
}

}  // namespace trunkline::tls
