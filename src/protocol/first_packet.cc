#include "protocol/first_packet.h"

#include <fmt/format.h>

namespace trunkline::protocol {
namespace {

constexpr std::size_t length_word = 4;
constexpr std::size_t code_end = 8;
constexpr std::size_t cancel_fixed = 12;  ///< length, code, pid
constexpr std::byte tls_handshake{0x16};
constexpr std::byte tls_major{0x03};

bad impossible_length() {
  return {violation(error_source::client, "invalid length of startup packet")};
}

/// The first four bytes as a length. A first byte above 0 says 16 MiB or more, or text: no Postgres client.
/// A first byte of 0 is a start-up packet whose length may be wrong, which two or three bytes can show.
first_packet_result judge_length_prefix(byte_span bytes) {
  std::uint32_t least = 0;  // the smallest length that begins with the bytes seen
  for (std::size_t i = 0; i < length_word; ++i) {
    least = least << 8 | (i < bytes.size() ? static_cast<std::uint32_t>(bytes[i]) : 0);
  }
  if (least > first_packet_bytes_max) return impossible_length();
  if (bytes.size() < length_word) return need_more{code_end - bytes.size()};
  if (least < code_end) return impossible_length();
  if (bytes.size() < code_end) return need_more{code_end - bytes.size()};
  return startup_message_packet{{}, least};
}

first_packet_result judge_cancel(byte_span bytes, std::size_t length) {
  if (length < cancel_fixed + limits::cancel_key_bytes_min ||
      length > cancel_fixed + limits::cancel_key_bytes_max) {
    return bad{violation(error_source::client, "invalid length of cancel request packet")};
  }
  if (bytes.size() < length) return need_more{length - bytes.size()};
  return cancel_request{load_u32(bytes.data() + code_end), bytes.subspan(cancel_fixed, length - cancel_fixed),
                        length};
}

}  // namespace

first_packet_result classify_first_packet(byte_span bytes) {
  if (bytes.empty()) return need_more{1};
  if (bytes[0] == tls_handshake) {
    if (bytes.size() < 2) return need_more{1};
    if (bytes[1] == tls_major) return direct_tls{};
    return not_postgres{};
  }
  if (bytes[0] != std::byte{0}) return not_postgres{};

  first_packet_result by_length = judge_length_prefix(bytes);
  const auto* plausible = std::get_if<startup_message_packet>(&by_length);
  if (plausible == nullptr) return by_length;
  const std::size_t length = plausible->consumed;
  const std::uint32_t code = load_u32(bytes.data() + length_word);

  if (code == ssl_request_code || code == gssenc_request_code) {
    if (length != code_end) return impossible_length();
    if (code == ssl_request_code) return ssl_request{};
    return gssenc_request{};
  }
  if (code == cancel_request_code) return judge_cancel(bytes, length);
  if (code >> 16 != 3) return bad{unsupported_version(code)};
  if (bytes.size() < length) return need_more{length - bytes.size()};
  return startup_message_packet{bytes.first(length), length};
}

error unsupported_version(std::uint32_t version) {
  return {error_source::client, error_reaction::close, sqlstates::feature_not_supported,
          fmt::format("unsupported frontend protocol {}.{}: server supports 3.0 to 3.2", version >> 16,
                      version & 0xffff),
          "Use a client that speaks version 3 of the PostgreSQL protocol."};
}

}  // namespace trunkline::protocol
