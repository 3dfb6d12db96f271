// The client role's settings (the leg to a Postgres server), named as libpq names them. Immutable once built
// but for the store of sessions to resume, which has a lock; used by all workers. Built off the loops (it
// reads files).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/engine.h"
#include "tls/server_context.h"

namespace trunkline::tls {

enum class verification : std::uint8_t {
  none,         ///< sslmode prefer and require: any certificate
  verify_ca,    ///< a chain to a trusted root
  verify_full,  ///< and the certificate is for the name we connect to
};

struct client_settings {
  verification verify = verification::none;
  std::string ca_file = {};    ///< PEM roots; empty: the system's
  /// PEM roots from elsewhere than a file, instead; empty: nobody is trusted yet. `ca_name` is for messages.
  std::optional<std::string> ca_text = {};
  std::string ca_name = {};
  std::string cert_file = {};  ///< client certificate, PEM with its chain; empty: none
  std::string key_file = {};
  protocol_version min_version = protocol_version::tls_1_2;
  bool resumes = true;  ///< sessions are kept, and offered to the same server name again
};

class client_context {
 public:
  /// Errors name the file and what is wrong with it. `now` is for the warnings only.
  static result<std::shared_ptr<const client_context>> build(const client_settings& settings,
                                                             std::chrono::system_clock::time_point now);

  /// A session whose first handshake() writes a ClientHello. `server_name`: a DNS name (it is sent as SNI) or
  /// an IP literal (RFC 6066: it is not); with verify_full the certificate must be for it. ALPN `postgresql`
  /// is always offered, as libpq does since 17; with `direct` the handshake fails where the server does not
  /// select it.
  engine connect(std::string_view server_name, negotiation how) const;

  const std::vector<std::string>& referenced_files() const { return files_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

  struct state;  // OpenSSL's side; private to this room
  explicit client_context(std::shared_ptr<state> inner);

 private:
  friend struct client_context_builder;
  std::shared_ptr<state> state_;
  std::vector<std::string> files_;
  std::vector<std::string> warnings_;
};

}  // namespace trunkline::tls
