// What a client answers to the server's Authentication messages, up to AuthenticationOk (PostgreSQL
// documentation, "SASL Authentication"). Bytes in, bytes out; it neither waits nor derives keys.
//
//     login_proof mine(dsn, transport, nonce);
//     take(body of each 'R')  -> more: send `answer()`, if any
//                             -> wants_keys: derive them off the loop, `provide` them, send `answer()`
//                             -> accepted
//
// Errors: 28000 where the server asks for what cannot be given or does not prove itself, 08P01 where what it
// says is malformed. Owner: one loop thread; the conninfo outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/md5.h"
#include "auth/scram_client.h"
#include "base/bytes.h"
#include "base/result.h"
#include "client/conninfo.h"
#include "protocol/authentication.h"

namespace trunkline::client {

/// What lies below the login.
struct login_transport {
  bool tls = false;
  bool local = false;                   ///< a unix socket
  std::vector<std::byte> binding = {};  ///< tls-server-end-point; empty: there is none
};

enum class login_step : std::uint8_t { more, wants_keys, accepted };

class login_proof {
 public:
  login_proof(const conninfo& dsn, login_transport below, auth::nonce fresh);

  result<login_step> take(byte_span authentication_body);
  /// After `wants_keys`.
  const auth::key_request& wanted() const { return wanted_; }
  result<> provide(const auth::client_keys& keys);
  /// What is to be sent now; empty: nothing. It may hold a password: wipe it.
  std::vector<std::byte> take_answer() { return std::exchange(answer_, {}); }

  /// "SCRAM-SHA-256-PLUS", "md5", "password", "none": what the server asked for so far.
  const std::string& method() const { return method_; }

 private:
  result<> begin_scram(const protocol::authentication_sasl& offer);
  result<> send_password();
  result<> send_md5(const auth::md5_salt& salt);

  const conninfo* dsn_;
  login_transport below_;
  auth::nonce nonce_;
  std::optional<auth::scram_client> scram_;
  auth::key_request wanted_;
  std::vector<std::byte> answer_;
  std::string method_ = "none";
};

}  // namespace trunkline::client
