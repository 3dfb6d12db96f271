// The gateway as a client of the server: answers whatever authentication the server asks for. For sessions
// whose route logs in by itself, for auth queries and for the health monitor. Owner: one loop thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/key_cache.h"
#include "auth/scram_keys.h"
#include "base/error.h"
#include "net/channel.h"
#include "pool/interest.h"
#include "pool/secret_before.h"
#include "protocol/frame.h"
#include "runtime/task.h"
#include "runtime/work_pool.h"
#include "tls/tls_stream.h"

namespace trunkline::pool {

/// What the gateway can prove itself with. Both empty: only a server that trusts it lets it in.
struct server_secret {
  std::string user = {};
  secret_text password = {};  ///< or an md5 hash as in pg_authid, or SCRAM keys (auth/scram_keys.h)
  std::optional<auth::bound_client_keys> recovered = {};  ///< from the client's proof
  std::shared_ptr<secret_before> before = {};             ///< null: there is none
  bool is_before = false;                                 ///< `password` is that one
};

/// Where PBKDF2 is computed, and what is remembered of it.
struct key_deriver {
  runtime::loop* where = nullptr;
  runtime::work_pool* work = nullptr;
  auth::key_cache* cache = nullptr;
};

struct server_login_request {
  key_deriver keys = {};
  net::channel* server = nullptr;
  const tls::tls_stream* tls = nullptr;  ///< of the server leg
  /// The leg is TLS, or local, or the operator said so: a password may go as cleartext.
  bool cleartext_is_safe = false;
  std::vector<std::byte> startup_packet = {};
  server_secret secret = {};
  /// The login ends where the server is found to be down meanwhile.
  interest at = {};
};

/// Why there is no login.
struct login_failure {
  enum class kind : std::uint8_t {
    ended,       ///< the server closed or the connection broke
    violation,   ///< it does not speak the protocol
    refused,     ///< its ErrorResponse
    unprovable,  ///< it asks for what the gateway does not have, or does not prove itself
    busy,        ///< too many logins are being computed in this process
  };
  kind what = kind::ended;
  error why;
};

/// Up to and with AuthenticationOk.
struct server_login {
  /// The body of the server's NegotiateProtocolVersion, where it sent one.
  std::optional<std::vector<std::byte>> negotiated = {};
};

runtime::task<std::expected<server_login, login_failure>> log_in_to_server(server_login_request request);

/// The server refuses the password (28P01), or the keys are for another one, and there is the one from
/// before: it is that one now. True once.
bool fall_back(server_secret& secret, const login_failure& why, runtime::time_point now);

/// PBKDF2 in the work pool, remembered in the key cache. Nothing: too much waits there already.
runtime::task<std::optional<auth::client_keys>> derive_keys(key_deriver with, runtime::signal* changed,
                                                            std::string user, secret_text password,
                                                            std::vector<std::byte> salt,
                                                            std::uint32_t iterations);

/// One whole message from the channel, left there: consume `frame::size` when done with the view.
runtime::task<std::expected<protocol::frame, login_failure>> read_server_message(net::channel* from,
                                                                                 interest at = {});

}  // namespace trunkline::pool
