// The server's role in SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: bytes of SASL messages in, bytes out.
// One object per login, owned by it, used by one thread at a time; it never waits and needs no clock.
//
//   AuthenticationSASL      <- offered()
//   SASLInitialResponse     -> start(mechanism, data)   -> reply: AuthenticationSASLContinue
//   SASLResponse            -> respond(data)            -> reply, finished: AuthenticationSASLFinal
//
// A client without an initial response gets an empty reply and one more round. After `finished` the login
// is proved and `recovered_keys()` holds the ClientKey, which logs in to any server with the same verifier.
// Errors: source client, reaction close, texts and SQLSTATEs of PostgreSQL: 28P01 for a wrong password and
// for an unknown user alike, 08P01 for malformed messages, 28000 for channel binding that does not hold.
// After an error the object is finished; each further call fails.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scram.h"
#include "auth/scram_keys.h"
#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::auth {

class scram_server {
 public:
  struct options {
    std::string user;         ///< from the StartupMessage; only for the error text (SCRAM's own is ignored)
    auth::verifier verifier;  ///< of the user, or `fake_verifier`
    bool user_exists = true;  ///< false: the exchange runs to its end and then fails
    nonce server_nonce{};     ///< fresh random bytes
    end_point_binding binding = {};  ///< set: -PLUS is offered as well
  };

  struct step {
    std::string reply;      ///< data of the next authentication message
    bool finished = false;  ///< false: AuthenticationSASLContinue; true: AuthenticationSASLFinal, logged in
  };

  explicit scram_server(options with);

  /// Strongest first; the order in which AuthenticationSASL lists them.
  std::span<const mechanism> offered() const;

  /// `data` is nullopt where the SASLInitialResponse carried length -1.
  result<step> start(std::string_view mechanism_name, std::optional<byte_span> data);
  result<step> respond(byte_span data);

  /// Nothing before `finished`.
  const std::optional<bound_client_keys>& recovered_keys() const { return recovered_; }

 private:
  enum class state : std::uint8_t { fresh, wants_first, wants_final, done };

  result<step> read_client_first(std::string_view message);
  result<step> read_client_final(std::string_view message);
  result<std::string_view> read_gs2_header(std::string_view message);
  result<> check_binding(std::string_view encoded) const;
  result<step> check_proof(byte_span proof, std::string_view without_proof);

  options with_;
  state state_ = state::fresh;
  mechanism chosen_ = mechanism::scram_sha_256;
  std::string gs2_header_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string nonces_;  ///< the client's and then ours
  std::optional<bound_client_keys> recovered_;
};

}  // namespace trunkline::auth
