// Reads certificates and keys from files, with errors that say what is wrong. Private to this room.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "tls/openssl.h"

namespace trunkline::tls {

struct credentials {
  x509_ptr leaf;
  x509_stack_ptr chain;  ///< the intermediates
  pkey_ptr key;
};

/// Warnings about what works but should not be so are appended to `warnings`.
result<credentials> load_credentials(const std::string& cert_file, const std::string& key_file,
                                     std::chrono::system_clock::time_point now,
                                     std::vector<std::string>& warnings);

/// At least one certificate, or an error.
result<x509_stack_ptr> load_authorities(const std::string& file);
/// The same from a text; `name` is for errors.
result<x509_stack_ptr> parse_authorities(const std::string& text, const std::string& name);

/// Gives the credentials to a context; `cert_file` is for the error.
result<> use_credentials(SSL_CTX& context, const credentials& from, const std::string& cert_file);

/// An error about configuration: there is no peer to blame.
error configuration_error(std::string message, std::string hint = {});

}  // namespace trunkline::tls
