#include "tls/server_callbacks.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>
#include <string_view>

#include "tls/context_settings.h"
#include "tls/engine_seed.h"

namespace trunkline::tls {
namespace {

using state = server_context::state;

/// RFC 6066 section 3: a list of (type, name); OpenSSL itself checks the list again and refuses a malformed
/// one.
std::string_view host_name_in(const unsigned char* data, std::size_t size) {
  constexpr std::size_t head = 5;  // list length 2, type 1, name length 2
  if (size < head || data[2] != TLSEXT_NAMETYPE_host_name) return {};
  const std::size_t length = (static_cast<std::size_t>(data[3]) << 8) | data[4];
  if (length > size - head) return {};
  return {reinterpret_cast<const char*>(data + head), length};
}

/// The first look at a ClientHello, before versions and tickets: choose the certificate, and refuse direct
/// TLS without ALPN (with a wrong one is refused later, by select_protocol).
int on_client_hello(SSL* ssl, int* alert, void* argument) {
  const auto& context = *static_cast<const state*>(argument);
  engine& running = *engine_access::of(ssl);
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size) == 1) {
    const std::string_view name = host_name_in(data, size);
    if (!name.empty()) engine_access::set_name(running, normal_name(name));
    const std::size_t entry = context.names.find(name).value_or(0);
    if (entry != 0) SSL_set_SSL_CTX(ssl, context.contexts[entry].get());
  }
  if (engine_access::direct(running) &&
      SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) != 1) {
    engine_access::fail(running, "direct TLS requires ALPN `postgresql`, and the client offers no ALPN");
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

/// Answers SNI with the acknowledgement that RFC 6066 wants; the choice was made in on_client_hello.
int on_server_name(SSL* ssl, int*, void*) {
  return SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) == nullptr ? SSL_TLSEXT_ERR_NOACK
                                                                       : SSL_TLSEXT_ERR_OK;
}

/// Called only where the client offers ALPN.
int select_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  for (std::size_t at = 0; at < offered_size;) {
    const std::size_t size = offered[at];
    if (size > offered_size - at - 1) break;
    const std::string_view name(reinterpret_cast<const char*>(offered + at + 1), size);
    if (name == alpn_protocol) {
      *chosen = offered + at + 1;
      *chosen_size = static_cast<unsigned char>(size);
      return SSL_TLSEXT_ERR_OK;
    }
    at += 1 + size;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool start_mac(EVP_MAC_CTX* mac, const ticket_keys::key& key) {
  char digest[] = "SHA256";
  auto* secret = const_cast<unsigned char*>(key.mac.data());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/// RFC 5077 section 4. Answers: negative error, 0 unknown key (full handshake), 1 good, 2 good and to be
/// replaced.
int on_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                  int sealing) {
  const auto& context = *static_cast<const state*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto newest = context.tickets->sealing();
  if (sealing == 1) {
    std::memcpy(name, newest->name.data(), newest->name.size());
    const bool good = RAND_bytes(iv, 16) == 1 && start_mac(mac, *newest) &&
                      EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, newest->cipher.data(), iv) == 1;
    return good ? 1 : -1;
  }
  const auto key = context.tickets->named({reinterpret_cast<const std::byte*>(name), newest->name.size()});
  if (key == nullptr) return 0;
  const bool good = start_mac(mac, *key) &&
                    EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) == 1;
  if (!good) return -1;
  return key == newest ? 1 : 2;
}

using ticket_binding = std::array<unsigned char, 32>;

/// A ticket is good only for the certificate and the server name of the session that it came from: what was
/// said about the peer then (channel binding, the route by SNI) stays true in the resumed session.
bool binding_of(SSL* ssl, ticket_binding& binding) {
  unsigned char seed[EVP_MAX_MD_SIZE + 256];
  unsigned int size = 0;
  const X509* own = SSL_get_certificate(ssl);
  if (own == nullptr || X509_digest(own, EVP_sha256(), seed, &size) != 1) return false;
  const std::string name = engine_access::name(*engine_access::of(ssl));
  const std::size_t part = std::min<std::size_t>(name.size(), 256);
  std::memcpy(seed + size, name.data(), part);
  return EVP_Digest(seed, size + part, binding.data(), nullptr, EVP_sha256(), nullptr) == 1;
}

int on_ticket_sealed(SSL* ssl, void*) {
  ticket_binding binding;
  SSL_SESSION* session = SSL_get_session(ssl);
  return binding_of(ssl, binding) &&
         SSL_SESSION_set1_ticket_appdata(session, binding.data(), binding.size()) == 1;
}

SSL_TICKET_RETURN on_ticket_opened(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                                   SSL_TICKET_STATUS status, void*) {
  if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT) return SSL_TICKET_RETURN_IGNORE_RENEW;
  ticket_binding binding;
  void* data = nullptr;
  std::size_t size = 0;
  if (!binding_of(ssl, binding) || SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 ||
      size != binding.size() || std::memcmp(data, binding.data(), size) != 0) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  // A client certificate is not verified again on resumption, so at least its end is looked at.
  const X509* peer = SSL_SESSION_get0_peer(session);
  if (peer != nullptr && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0)
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  // TLS 1.3 clients use a ticket once: without a new one only every second login would resume.
  const bool keep = status == SSL_TICKET_SUCCESS && SSL_version(ssl) < TLS1_3_VERSION;
  return keep ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

void install_server_callbacks(SSL_CTX& context, server_context::state& shared) {
  SSL_CTX_set_app_data(&context, &shared);
  SSL_CTX_set_client_hello_cb(&context, on_client_hello, &shared);
  SSL_CTX_set_tlsext_servername_callback(&context, on_server_name);
  SSL_CTX_set_alpn_select_cb(&context, select_protocol, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(&context, on_ticket_key);
  SSL_CTX_set_session_ticket_cb(&context, on_ticket_sealed, on_ticket_opened, nullptr);
}

}  // namespace trunkline::tls
