// The client's messages of the extended protocol, decoded (PostgreSQL documentation, "Message Formats").
// Malformed: 08P01, the client's fault. Pure; any thread. Views live as long as the body.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::protocol {

struct parse_message {
  std::string_view statement;
  std::string_view sql;
  std::uint16_t parameter_types = 0;  ///< how many it names
};
result<parse_message> decode_parse(byte_span body);

struct bind_message {
  std::string_view portal;
  std::string_view statement;
  std::uint16_t parameters = 0;  ///< how many values it brings
  std::vector<std::uint16_t> result_formats =
      {};  ///< none: all text; one: for all columns; else one for each
};
result<bind_message> decode_bind(byte_span body);

/// Describe and Close: 'S' or 'P', and the name of the statement or portal.
struct target_message {
  char kind = 0;
  std::string_view name;
};
result<target_message> decode_target(byte_span body);

struct execute_message {
  std::string_view portal;
  std::uint32_t row_limit = 0;  ///< 0: all
};
result<execute_message> decode_execute(byte_span body);

}  // namespace trunkline::protocol
