// What an established session tells about itself.
#include "tls/engine.h"
#include "tls/handover.h"
#include "tls/openssl.h"
#include "tls/settled.h"

namespace trunkline::tls {

std::string_view engine::version() const {
  if (settled_ != nullptr) return settled_->version;
  return ssl_ == nullptr ? "" : SSL_get_version(ssl_);
}

std::string_view engine::cipher() const {
  if (settled_ != nullptr) return settled_->cipher;
  const char* name = ssl_ == nullptr ? nullptr : SSL_get_cipher_name(ssl_);
  return name == nullptr ? "" : name;
}

std::string_view engine::alpn() const {
  if (settled_ != nullptr) return settled_->alpn;
  if (ssl_ == nullptr) return {};
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view engine::server_name() const {
  return name_ == nullptr ? std::string_view() : std::string_view(*name_);
}

bool engine::session_reused() const {
  if (settled_ != nullptr) return settled_->reused;
  return ssl_ != nullptr && SSL_session_reused(ssl_) == 1;
}

std::unique_ptr<certificate_facts> engine::peer_certificate() const {
  if (settled_ != nullptr) {
    return settled_->peer == nullptr ? nullptr : std::make_unique<certificate_facts>(*settled_->peer);
  }
  const X509* peer = ssl_ == nullptr ? nullptr : SSL_get0_peer_certificate(ssl_);
  return peer == nullptr ? nullptr : std::make_unique<certificate_facts>(facts_of(*peer));
}

std::vector<std::byte> engine::tls_server_end_point() const {
  if (settled_ != nullptr) return settled_->server_end_point;
  if (!established_) return {};
  const X509* certificate = server_ ? SSL_get_certificate(ssl_) : SSL_get0_peer_certificate(ssl_);
  return certificate == nullptr ? std::vector<std::byte>() : server_end_point_of(*certificate);
}

std::string_view engine::error_text() const {
  return failure_ == nullptr ? std::string_view() : std::string_view(*failure_);
}

}  // namespace trunkline::tls
