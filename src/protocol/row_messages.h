// RowDescription ('T'), DataRow ('D') and CommandComplete ('C'), decoded for the gateway's own queries
// (PostgreSQL documentation, "Message Formats"). Malformed: 08P01, the server's fault. Pure; any thread.
// Views live as long as the body.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::protocol {

struct field_description {
  std::string_view name;
  std::uint32_t table_oid = 0;
  std::uint16_t column = 0;
  std::uint32_t type_oid = 0;
  std::int16_t type_size = 0;  ///< bytes; negative: of variable width
  std::uint32_t type_modifier = 0;
  std::uint16_t format = 0;  ///< 0 text, 1 binary
};
result<std::vector<field_description>> decode_row_description(byte_span body);

/// One entry per column; nullopt is NULL.
using data_row = std::vector<std::optional<byte_span>>;
result<data_row> decode_data_row(byte_span body);

/// The tag: `SELECT 1`, `INSERT 0 5`.
result<std::string_view> decode_command_complete(byte_span body);

}  // namespace trunkline::protocol
