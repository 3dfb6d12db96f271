#include "tls/failure_text.h"

#include <string_view>

#include "tls/openssl.h"

namespace trunkline::tls {
namespace {

/// Reasons whose own words would puzzle; null: OpenSSL's words will do.
const char* clearer_words(int reason) {
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "the peer speaks HTTP, not TLS";
    case SSL_R_WRONG_VERSION_NUMBER:
      return "the peer does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return "the peer offers only TLS versions below the minimum";
    case SSL_R_NO_SHARED_CIPHER:
      return "the peer offers no cipher that is allowed here";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the client sent no certificate, and one is required";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "the client offers ALPN, but not `postgresql`";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the connection ended without close_notify";
    default:
      return nullptr;
  }
}

/// OpenSSL spells alerts "tlsv1 alert unknown ca", "sslv3 alert bad certificate", "tlsv13 alert certificate
/// required".
std::string alert_words(std::string_view reason, bool server) {
  constexpr std::string_view mark = "alert ";
  const std::size_t at = reason.find(mark);
  if (at != std::string_view::npos) reason.remove_prefix(at + mark.size());
  return std::string(server ? "the client" : "the server") +
         " refused with the TLS alert: " + std::string(reason);
}

}  // namespace

std::string take_failure_text(bool server) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const bool from_tls = ERR_GET_LIB(code) == ERR_LIB_SSL;
  std::string text = take_openssl_reason();
  if (!from_tls) return text;
  if (reason >= SSL_AD_REASON_OFFSET) return alert_words(text, server);
  if (const char* clearer = clearer_words(reason)) return clearer;
  return text;
}

}  // namespace trunkline::tls
