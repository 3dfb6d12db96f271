// Makes certificates: for `trunkline demo` and for tests, not for production.
// Pure but for OpenSSL's randomness and for write_private(); any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::tls {

enum class key_kind : std::uint8_t { ec_p256, ec_p384, rsa_2048, ed25519 };
enum class signature_hash : std::uint8_t {
  sha1,
  sha256,
  sha384,
  sha512
};  ///< without meaning for an Ed25519 issuer

struct issued {
  std::string certificate_pem;
  secret_text key_pem;
};

struct issue_request {
  std::string common_name;
  std::vector<std::string> dns_names = {};
  std::vector<std::string> ip_addresses = {};
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  bool authority = false;  ///< may sign others
  key_kind key = key_kind::ec_p256;
  signature_hash hash = signature_hash::sha256;
};

/// `issuer` null: self-signed.
result<issued> issue(const issue_request& request, const issued* issuer = nullptr);

/// Creates or replaces a file, mode 0600, by way of a temporary beside it, so that readers see old or new.
result<> write_private(const std::string& path, std::string_view content);

}  // namespace trunkline::tls
