// The server role's settings, loaded and checked: certificates with their names, client certificates,
// versions. Immutable once built, and so used by all workers at once. A reload builds another one; engines of
// the old one keep it alive. Built off the loops (it reads files).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/certificate.h"
#include "tls/engine.h"
#include "tls/ticket_keys.h"

namespace trunkline::tls {

enum class protocol_version : std::uint8_t { tls_1_2, tls_1_3 };
enum class client_certificates : std::uint8_t { none, request, require };

struct certificate_source {
  std::string cert_file;  ///< PEM: the leaf, then its intermediates
  std::string key_file;   ///< PEM, without a passphrase
  /// Exact names and "*.example.org" (one label). Empty: the names of the certificate's SAN.
  std::vector<std::string> server_names = {};
};

struct server_settings {
  std::vector<certificate_source> certificates;  ///< at least one; the first serves where no name matches
  std::string client_ca_file = {};               ///< PEM; needed unless client_certificate is `none`
  client_certificates client_certificate = client_certificates::none;
  protocol_version min_version = protocol_version::tls_1_2;
};

/// For `check`, the log and the metric certificate_expiry_seconds.
struct loaded_certificate {
  std::string file;
  std::vector<std::string> server_names;
  certificate_facts facts;
};

class server_context {
 public:
  /// Errors name the file and what is wrong with it. `now` is for the warnings only.
  static result<std::shared_ptr<const server_context>> build(const server_settings& settings,
                                                             std::shared_ptr<const ticket_keys> tickets,
                                                             std::chrono::system_clock::time_point now);

  /// A session that waits for a ClientHello.
  engine accept(negotiation how) const;

  /// Every file that was read; where one changes, build again.
  const std::vector<std::string>& referenced_files() const { return files_; }
  /// Sentences about what works but should not be so: expired, expires soon, key readable by others.
  const std::vector<std::string>& warnings() const { return warnings_; }
  const std::vector<loaded_certificate>& certificates() const { return loaded_; }

  /// The certificate that a client with this SNI is shown (index into certificates()): an exact name wins
  /// over a wildcard, earlier over later, and without a match it is the first.
  std::size_t certificate_for(std::string_view server_name) const;

  struct state;  // OpenSSL's side; private to this room
  explicit server_context(std::shared_ptr<state> inner);

 private:
  friend struct server_context_builder;
  std::shared_ptr<state> state_;
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
  std::vector<loaded_certificate> loaded_;
};

}  // namespace trunkline::tls
