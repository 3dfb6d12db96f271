// What a connection's first bytes are (PostgreSQL documentation, "Message Formats": SSLRequest,
// GSSENCRequest, CancelRequest, StartupMessage; `16 03` opens a TLS record). Pure; any thread. The same
// function reads what follows an `N` to SSLRequest or GSSENCRequest, and what comes inside TLS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/limits.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {

inline constexpr std::uint32_t cancel_request_code = 80'877'102;
inline constexpr std::uint32_t ssl_request_code = 80'877'103;
inline constexpr std::uint32_t gssenc_request_code = 80'877'104;

/// PostgreSQL's limit does not count the length word. A buffer of this size holds every first packet.
inline constexpr std::size_t first_packet_bytes_max = limits::startup_packet_bytes + 4;

/// `consumed` is what the packet itself took; bytes behind it are the caller's to judge.
struct direct_tls {
  static constexpr std::size_t consumed = 0;  ///< the TLS layer reads the same bytes
};
struct ssl_request {
  static constexpr std::size_t consumed = 8;
};
struct gssenc_request {
  static constexpr std::size_t consumed = 8;
};
struct cancel_request {
  std::uint32_t pid = 0;
  byte_span key;  ///< limits::cancel_key_bytes_min..max bytes, a view into the input
  std::size_t consumed = 0;
};
/// Any 3.x. `packet` is whole, with its length word: `decode_startup_message` takes it as it is.
struct startup_message_packet {
  byte_span packet;
  std::size_t consumed = 0;
};
/// An HTTP probe, a port scan, another protocol: close without an answer.
struct not_postgres {};

/// `bad`: 08P01 for an impossible length, 0A000 for a version that is not 3.x; always the client's fault.
using first_packet_result = std::variant<need_more, direct_tls, ssl_request, gssenc_request, cancel_request,
                                         startup_message_packet, not_postgres, bad>;

/// Decides as early as the bytes allow. Views live as long as `bytes`.
first_packet_result classify_first_packet(byte_span bytes);

/// 0A000 in PostgreSQL's words, for a version word whose major part is not 3.
error unsupported_version(std::uint32_t version);

}  // namespace trunkline::protocol
