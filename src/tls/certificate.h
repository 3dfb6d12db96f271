// What a certificate says, as far as the gateway cares: names, validity, issuer.
// Value types; any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

struct x509_st;

namespace trunkline::tls {

struct certificate_facts {
  std::string subject;      ///< RFC 2253 form: "CN=app,O=Example"
  std::string common_name;  ///< the last CN of the subject; empty where there is none or it holds a NUL
  std::string issuer;       ///< RFC 2253 form
  std::string serial;       ///< hexadecimal, upper case
  std::vector<std::string> dns_names;     ///< SAN, in order
  std::vector<std::string> ip_addresses;  ///< SAN, textual: "10.0.0.1", "fd00::1"
  std::vector<std::string> uris;          ///< SAN, for example a SPIFFE identity
  std::vector<std::string> emails;        ///< SAN
  std::chrono::sys_seconds not_before{};
  std::chrono::sys_seconds not_after{};
};

/// Reads the facts out of an OpenSSL certificate. Names that hold a NUL or a control character are left out.
certificate_facts facts_of(const x509_st& certificate);

/// RFC 5929 section 4.1: hash of the DER form, with the hash of its own signature (MD5 and SHA-1 -> SHA-256).
/// Empty where the signature algorithm names no hash.
std::vector<std::byte> server_end_point_of(const x509_st& certificate);

}  // namespace trunkline::tls
