// Ownership of OpenSSL's objects and its errors as text. Private to this room: not to be included by a public
// header.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

namespace trunkline::tls {

template <auto release>
struct releaser {
  template <class T>
  void operator()(T* object) const {
    release(object);
  }
};

using ssl_context_ptr = std::unique_ptr<SSL_CTX, releaser<SSL_CTX_free>>;
using ssl_session_ptr = std::unique_ptr<SSL_SESSION, releaser<SSL_SESSION_free>>;
using x509_ptr = std::unique_ptr<X509, releaser<X509_free>>;
using pkey_ptr = std::unique_ptr<EVP_PKEY, releaser<EVP_PKEY_free>>;
using bio_ptr = std::unique_ptr<BIO, releaser<BIO_free>>;

inline void release_certificates(STACK_OF(X509) * stack) {
  sk_X509_pop_free(stack, X509_free);
}
using x509_stack_ptr = std::unique_ptr<STACK_OF(X509), releaser<release_certificates>>;

/// A read-only view of `text` as a BIO; the text must outlive it.
inline bio_ptr bio_over(std::string_view text) {
  return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// The reason of the oldest error in this thread's queue; empties the queue. "unknown error" where there is
/// none.
std::string take_openssl_reason();

}  // namespace trunkline::tls
