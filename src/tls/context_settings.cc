#include "tls/context_settings.h"

#include "base/limits.h"
#include "tls/credentials.h"
#include "tls/handover.h"

namespace trunkline::tls {
namespace {

// AEAD with an ephemeral key exchange only. AES-128 first: it is the cheapest per byte, and SHA-256 per
// handshake. DHE is offered last, for servers without elliptic curves; our server role has no DH parameters
// and never picks it.
constexpr const char* ciphers_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384";
constexpr const char* ciphers_1_3 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";

}  // namespace

result<> apply_common_settings(SSL_CTX& context, protocol_version min_version) {
  SSL_CTX_set_options(&context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_read_ahead(&context, 0);
  SSL_CTX_set_max_early_data(&context, 0);  // data that can be replayed has no place before a database
  SSL_CTX_set_timeout(&context, limits::tls_session_lifetime.count());
  install_handover_callbacks(context);
  const int lowest = min_version == protocol_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const bool good = SSL_CTX_set_min_proto_version(&context, lowest) == 1 &&
                    SSL_CTX_set_cipher_list(&context, ciphers_1_2) == 1 &&
                    SSL_CTX_set_ciphersuites(&context, ciphers_1_3) == 1 &&
                    SSL_CTX_set1_groups_list(&context, groups) == 1;
  if (!good)
    return fail(configuration_error("OpenSSL refuses the cipher settings: " + take_openssl_reason()));
  return {};
}

std::string_view alpn_wire_list() {
  static_assert(alpn_protocol.size() == 10);
  return "\x0apostgresql";
}

}  // namespace trunkline::tls
