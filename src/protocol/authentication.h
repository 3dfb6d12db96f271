// The server's Authentication* messages ('R') and the client's answers, which all share the type 'p'
// (PostgreSQL documentation, "Message Formats"). Bodies in, views out; `append_…` writes whole messages.
// Pure; any thread. Views live as long as the body.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

inline constexpr std::string_view scram_sha_256 = "SCRAM-SHA-256";
inline constexpr std::string_view scram_sha_256_plus = "SCRAM-SHA-256-PLUS";
inline constexpr std::string_view oauthbearer = "OAUTHBEARER";

enum class authentication_code : std::uint32_t {
  ok = 0,
  kerberos_v5 = 2,
  cleartext_password = 3,
  md5_password = 5,
  gss = 7,
  gss_continue = 8,
  sspi = 9,
  sasl = 10,
  sasl_continue = 11,
  sasl_final = 12,
};

struct authentication_ok {};
struct authentication_cleartext_password {};
struct authentication_md5_password {
  std::array<std::byte, 4> salt{};
};
struct authentication_sasl {
  std::vector<std::string_view> mechanisms;
};
struct authentication_sasl_continue {
  byte_span data;
};
struct authentication_sasl_final {
  byte_span data;
};
/// Kerberos, GSS, SSPI, or a code that did not exist yet: recognised, not spoken.
struct authentication_other {
  authentication_code code{};
  byte_span data;
};

using authentication_message =
    std::variant<authentication_ok, authentication_cleartext_password, authentication_md5_password,
                 authentication_sasl, authentication_sasl_continue, authentication_sasl_final,
                 authentication_other>;

/// Body of 'R'. Malformed: 08P01, the server's fault.
result<authentication_message> decode_authentication(byte_span body);

void append_authentication_ok(byte_buffer& out);
void append_authentication_cleartext_password(byte_buffer& out);
void append_authentication_md5_password(byte_buffer& out, const std::array<std::byte, 4>& salt);
void append_authentication_sasl(byte_buffer& out, std::span<const std::string_view> mechanisms);
void append_authentication_sasl_continue(byte_buffer& out, byte_span data);
void append_authentication_sasl_final(byte_buffer& out, byte_span data);

/// The AuthenticationSASL message, whole and ready to send, without the mechanisms that end in -PLUS. `body`
/// is that of the server's. Fails where nothing else was offered: such a server cannot be reached without
/// TLS.
result<byte_buffer> strip_channel_binding(byte_span body);

/// What a 'p' means depends on what the server asked last, so the caller picks the decoder.
/// Malformed: 08P01, the client's fault. Views are secrets: copy them into `redacted` only.
result<std::string_view> decode_password_message(byte_span body);

struct sasl_initial_response {
  std::string_view mechanism;
  std::optional<byte_span> data;  ///< absent where the client sent length -1
};
result<sasl_initial_response> decode_sasl_initial_response(byte_span body);

/// The whole body is the mechanism's.
inline byte_span decode_sasl_response(byte_span body) {
  return body;
}

void append_password_message(byte_buffer& out, std::string_view password);
void append_sasl_initial_response(byte_buffer& out, std::string_view mechanism,
                                  std::optional<byte_span> data);
void append_sasl_response(byte_buffer& out, byte_span data);

}  // namespace trunkline::protocol
