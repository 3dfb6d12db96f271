#include "protocol/startup_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "protocol/first_packet.h"
#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {
namespace {

constexpr std::string_view option_prefix = "_pq_.";

error refuse(sqlstate code, std::string message, std::string hint = {}) {
  return {error_source::client, error_reaction::close, code, std::move(message), std::move(hint)};
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  std::ranges::transform(lowered, lowered.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lowered;
}

/// PostgreSQL's spelling of booleans: any unambiguous prefix of true, false, yes, no; on, off (at least two
/// letters), 1, 0.
std::optional<bool> parse_boolean(std::string_view text) {
  struct word {
    std::string_view text;
    std::size_t letters_min;
    bool value;
  };
  static constexpr std::array<word, 8> words{{{"true", 1, true},
                                              {"false", 1, false},
                                              {"yes", 1, true},
                                              {"no", 1, false},
                                              {"on", 2, true},
                                              {"off", 2, false},
                                              {"1", 1, true},
                                              {"0", 1, false}}};
  const std::string lowered = lower(text);
  for (const word& candidate : words) {
    if (lowered.size() >= candidate.letters_min && candidate.text.starts_with(lowered))
      return candidate.value;
  }
  return std::nullopt;
}

result<replication_mode> parse_replication(std::string_view text) {
  if (text == "database") return replication_mode::database;
  if (const auto on = parse_boolean(text)) return *on ? replication_mode::physical : replication_mode::off;
  return fail(refuse(sqlstate{"22023"},
                     fmt::format("invalid value for parameter \"replication\": \"{}\"", text),
                     "Valid values are: \"false\", 0, \"true\", 1, \"database\"."));
}

result<> read_parameters(message_reader& reader, startup_message& message) {
  for (;;) {
    const std::string_view name = reader.text();
    if (!reader.ok()) break;
    if (name.empty()) {
      if (reader.complete()) return {};
      break;
    }
    const std::string_view value = reader.text();
    if (!reader.ok()) break;
    message.parameters.push_back({name, value});
    if (name.starts_with(option_prefix)) message.protocol_options.push_back({name, value});
  }
  return fail(
      violation(error_source::client, "invalid startup packet layout: expected terminator as last byte"));
}

}  // namespace

std::optional<std::string_view> startup_message::find(std::string_view name) const {
  for (const startup_parameter& parameter : std::views::reverse(parameters)) {
    if (parameter.name == name) return parameter.value;
  }
  return std::nullopt;
}

result<startup_message> decode_startup_message(byte_span packet) {
  message_reader reader{packet};
  const std::uint32_t length = reader.u32();
  startup_message message;
  message.version.major = reader.u16();
  message.version.minor = reader.u16();
  if (!reader.ok() || length != packet.size() || length > first_packet_bytes_max) {
    return fail(violation(error_source::client, "invalid length of startup packet"));
  }
  if (message.version.major != 3) {
    return fail(unsupported_version(std::uint32_t{message.version.major} << 16 | message.version.minor));
  }
  if (auto read = read_parameters(reader, message); !read) return fail(std::move(read.error()));

  if (const auto replication = message.find("replication")) {
    auto mode = parse_replication(*replication);
    if (!mode) return fail(std::move(mode.error()));
    message.replication = *mode;
  }
  message.user = message.find("user").value_or(std::string_view{});
  if (message.user.empty()) {
    return fail(
        refuse(sqlstates::invalid_authorization, "no PostgreSQL user name specified in startup packet"));
  }
  message.database = message.find("database").value_or(std::string_view{});
  if (message.database.empty()) message.database = message.user;
  if (message.replication == replication_mode::physical) message.database = {};
  return message;
}

void append_startup_message(byte_buffer& out, protocol_version version,
                            std::span<const startup_parameter> parameters) {
  message_writer writer{out};
  writer.u16(version.major).u16(version.minor);
  for (const startup_parameter& parameter : parameters) {
    if (parameter.name.empty() || parameter.name.front() == '\0') continue;
    writer.text(parameter.name).text(parameter.value);
  }
  writer.u8(0);
}

void append_ssl_request(byte_buffer& out) {
  message_writer{out}.u32(ssl_request_code);
}

void append_gssenc_request(byte_buffer& out) {
  message_writer{out}.u32(gssenc_request_code);
}

void append_cancel_request(byte_buffer& out, std::uint32_t pid, byte_span key) {
  message_writer{out}.u32(cancel_request_code).u32(pid).bytes(key);
}

}  // namespace trunkline::protocol
