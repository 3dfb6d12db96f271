// What went wrong, said once: by whom, what to do about it, and in words for a human.
// Value type; any thread. `protocol/error_response.h` is the one place that turns it into bytes for a client.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline {

enum class error_source : std::uint8_t { client, server, gateway };

/// `close` ends this connection, `reject` refuses this one request, `retry` may be tried again as it is.
enum class error_reaction : std::uint8_t { close, reject, retry };

/// Five characters of [0-9A-Z] (PostgreSQL, appendix A).
class sqlstate {
 public:
  constexpr sqlstate() = default;
  /// Characters past the fifth are dropped; missing ones stay '0'.
  constexpr explicit sqlstate(std::string_view code) {
    for (std::size_t i = 0; i < code_.size() && i < code.size(); ++i)
      code_[i] = code[i];
  }
  constexpr std::string_view view() const { return {code_.data(), code_.size()}; }
  constexpr bool operator==(const sqlstate&) const = default;

 private:
  std::array<char, 5> code_{'0', '0', '0', '0', '0'};
};

namespace sqlstates {
inline constexpr sqlstate connection_failure{"08006"};
inline constexpr sqlstate cannot_connect{"08001"};
inline constexpr sqlstate protocol_violation{"08P01"};
inline constexpr sqlstate feature_not_supported{"0A000"};
inline constexpr sqlstate bad_copy_file_format{"22P04"};
inline constexpr sqlstate invalid_authorization{"28000"};
inline constexpr sqlstate invalid_password{"28P01"};
inline constexpr sqlstate insufficient_privilege{"42501"};
inline constexpr sqlstate too_many_connections{"53300"};
inline constexpr sqlstate configuration_limit_exceeded{"53400"};
inline constexpr sqlstate admin_shutdown{"57P01"};
inline constexpr sqlstate cannot_connect_now{"57P03"};
inline constexpr sqlstate idle_session_timeout{"57P05"};
inline constexpr sqlstate query_canceled{"57014"};
inline constexpr sqlstate transaction_timeout{"25P04"};
inline constexpr sqlstate io_error{"58030"};
inline constexpr sqlstate internal_error{"XX000"};
}  // namespace sqlstates

struct error {
  error_source source = error_source::gateway;
  error_reaction reaction = error_reaction::close;
  sqlstate code = sqlstates::internal_error;
  std::string message;    ///< one sentence for a human, no secret in it
  std::string hint = {};  ///< what to change; may be empty
};

}  // namespace trunkline
