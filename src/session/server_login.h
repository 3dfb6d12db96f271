// The gateway as a client of the server: answers whatever authentication the server asks for.
#pragma once

#include <optional>

#include "auth/scram_keys.h"
#include "session/login_context.h"

namespace trunkline::session {

/// What the gateway can prove itself with. Both empty: only a server that trusts it lets it in.
struct server_secret {
  std::string user = {};
  secret_text password = {};                              ///< or an md5 hash as in pg_authid
  std::optional<auth::bound_client_keys> recovered = {};  ///< from the client's proof
};

struct server_login_request {
  login_context* context = nullptr;
  net::channel* server = nullptr;
  const tls::tls_stream* tls = nullptr;  ///< of the server leg
  bool local = false;                    ///< unix socket or loopback: a password may go as cleartext
  std::vector<std::byte> startup_packet = {};
  server_secret secret = {};
};

/// Up to and with AuthenticationOk. NegotiateProtocolVersion goes to `context->negotiated`.
runtime::task<step<>> log_in_to_server(server_login_request request);

/// PBKDF2 in the work pool, remembered in the key cache.
runtime::task<step<auth::client_keys>> derive_keys(login_context* context, std::string user,
                                                   secret_text password, std::vector<std::byte> salt,
                                                   std::uint32_t iterations);

}  // namespace trunkline::session
