// StartupMessage, and the small packets that a client may send before it (PostgreSQL documentation,
// "Message Formats"). Pure; any thread. Views live as long as the packet they were read from.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

struct protocol_version {
  std::uint16_t major = 3;
  std::uint16_t minor = 0;
  auto operator<=>(const protocol_version&) const = default;
};

struct startup_parameter {
  std::string_view name;
  std::string_view value;
  bool operator==(const startup_parameter&) const = default;
};

/// `physical` sessions speak the replication commands and have no database.
enum class replication_mode : std::uint8_t { off, physical, database };

struct startup_message {
  protocol_version version;
  std::vector<startup_parameter> parameters;        ///< all of them, in the order sent, duplicates kept
  std::vector<startup_parameter> protocol_options;  ///< those named `_pq_.…`, once more
  std::string_view user;
  std::string_view database;  ///< the user's name where none was sent; empty for physical replication
  replication_mode replication = replication_mode::off;

  /// The last one wins where a name was sent twice, as in PostgreSQL.
  std::optional<std::string_view> find(std::string_view name) const;
};

/// `packet` is whole, with its length word. Errors are the client's, with PostgreSQL's codes: 08P01 for the
/// layout, 0A000 for a major version other than 3, 28000 without a user, 22023 for an odd `replication`.
result<startup_message> decode_startup_message(byte_span packet);

/// Parameters are written in the order given. Text ends at its first NUL, empty names are left out.
void append_startup_message(byte_buffer& out, protocol_version version,
                            std::span<const startup_parameter> parameters);

void append_ssl_request(byte_buffer& out);
void append_gssenc_request(byte_buffer& out);
/// `key` has limits::cancel_key_bytes_min..max bytes (precondition).
void append_cancel_request(byte_buffer& out, std::uint32_t pid, byte_span key);

}  // namespace trunkline::protocol
