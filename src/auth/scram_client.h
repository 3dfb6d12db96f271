// The client's role in SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: bytes of SASL messages in, bytes out.
// One object per login, owned by it, used by one thread at a time; it never waits and needs no clock.
//
//   AuthenticationSASL          -> choose_mechanism(...)       -> SASLInitialResponse: mechanism,
//   client_first() AuthenticationSASLContinue  -> on_server_first(data)       -> key_request {salt,
//   iterations}
//                                  provide(keys)               -> SASLResponse
//   AuthenticationSASLFinal     -> on_server_final(data)       -> the server has proved that it knows us
//
// Between on_server_first and provide the caller looks into key_cache.h, or runs `derive` off the loop, or
// hands over what scram_server recovered. AuthenticationOk before on_server_final succeeded means a server
// that did not prove itself: refuse it (`server_proved()`).
// Errors: source server, reaction close; 08P01 malformed, 28000 where trust fails.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scram.h"
#include "auth/scram_keys.h"
#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::auth {

/// What the server leg's transport offers for channel binding.
struct client_transport {
  bool tls = false;
  end_point_binding binding = {};  ///< of the server's certificate, where there is TLS
};

/// Takes -PLUS where the server offers it and `transport` has a binding, else plain SCRAM-SHA-256. Unknown
/// names are passed over. Fails where nothing fits (28000), and, as libpq does, where -PLUS is offered on a
/// leg without TLS: then somebody between ends TLS.
result<mechanism> choose_mechanism(std::span<const std::string_view> offered_by_server,
                                   const client_transport& transport);

struct key_request {
  std::vector<std::byte> salt;
  std::uint32_t iterations = 0;  ///< at most limits::scram_iterations_max
};

class scram_client {
 public:
  struct options {
    auth::mechanism mechanism = mechanism::scram_sha_256;  ///< from choose_mechanism
    client_transport transport = {};
    bool server_offered_plus = false;  ///< decides between the flags `y` and `n` (RFC 5802, section 6)
    nonce client_nonce{};              ///< fresh random bytes
  };

  explicit scram_client(options with);

  /// The data of SASLInitialResponse. The user name in it is empty: PostgreSQL takes the start-up message's.
  const std::string& client_first() const { return client_first_; }

  result<key_request> on_server_first(byte_span data);

  /// Keys derived from a password for exactly the requested salt and iterations.
  result<std::string> provide(const client_keys& keys);
  /// Recovered keys: fails with 28000 where the server's salt or iterations differ from theirs, which means
  /// that the server holds another verifier than the one the client was checked against.
  result<std::string> provide(const bound_client_keys& keys);

  result<> on_server_final(byte_span data);
  bool server_proved() const { return state_ == state::proved; }

 private:
  enum class state : std::uint8_t { wants_first, wants_keys, wants_final, proved, failed };

  options with_;
  state state_ = state::wants_first;
  std::string gs2_header_;
  std::string client_first_;
  std::string server_first_;
  std::string nonces_;
  key_request request_;
  secret_key expected_server_signature_;
};

}  // namespace trunkline::auth
