// Why a step of a conversation did not go as it must. Plain values; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/error.h"

namespace trunkline::doctor {

/// An ErrorResponse.
struct said_error {
  sqlstate code;
  std::string message;        ///< at most limits::doctor_message_bytes
  bool has_place = false;     ///< it names a file, a line and a routine, as PostgreSQL's own errors do
  bool by_trunkline = false;  ///< its routine is the gateway's name
  bool fatal = false;
};
said_error read_error(byte_span error_body);

struct failure {
  enum class kind : std::uint8_t {
    no_address,
    refused,
    unreachable,
    timed_out,
    reset,     ///< RST
    closed,    ///< FIN
    tls,       ///< the handshake failed
    protocol,  ///< what came is not what PostgreSQL says
    login,     ///< this side would not go on: no password, no proof
    error,     ///< an ErrorResponse: `said`
  };
  kind what = kind::protocol;
  std::string text;  ///< one sentence for a human
  std::optional<said_error> said = {};

  bool has_code(std::string_view code) const { return said && said->code.view() == code; }
};

template <class T = void>
using outcome = std::expected<T, failure>;

}  // namespace trunkline::doctor
