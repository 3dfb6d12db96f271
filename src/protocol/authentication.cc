#include "protocol/authentication.h"

#include <algorithm>

#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {
namespace {

error malformed(error_source who, const char* what) {
  return violation(who, std::string{"malformed "} + what + " message");
}

error malformed_authentication() {
  return malformed(error_source::server, "authentication");
}

message_writer& write_code(message_writer&& writer, authentication_code code) {
  return writer.u32(static_cast<std::uint32_t>(code));
}

/// The list of an AuthenticationSASL: names, then an empty one.
result<authentication_message> decode_mechanisms(message_reader reader) {
  authentication_sasl sasl;
  for (;;) {
    const std::string_view name = reader.text();
    if (!reader.ok()) return fail(malformed_authentication());
    if (name.empty()) break;
    sasl.mechanisms.push_back(name);
  }
  if (!reader.complete()) return fail(malformed_authentication());
  return sasl;
}

result<authentication_message> decode_md5(message_reader reader) {
  authentication_md5_password md5;
  const byte_span salt = reader.bytes(md5.salt.size());
  if (!reader.complete()) return fail(malformed_authentication());
  std::ranges::copy(salt, md5.salt.begin());
  return md5;
}

}  // namespace

result<authentication_message> decode_authentication(byte_span body) {
  message_reader reader{body};
  const auto code = static_cast<authentication_code>(reader.u32());
  if (!reader.ok()) return fail(malformed_authentication());
  switch (code) {
    case authentication_code::ok:
      if (!reader.complete()) return fail(malformed_authentication());
      return authentication_ok{};
    case authentication_code::cleartext_password:
      if (!reader.complete()) return fail(malformed_authentication());
      return authentication_cleartext_password{};
    case authentication_code::md5_password:
      return decode_md5(reader);
    case authentication_code::sasl:
      return decode_mechanisms(reader);
    case authentication_code::sasl_continue:
      return authentication_sasl_continue{reader.rest()};
    case authentication_code::sasl_final:
      return authentication_sasl_final{reader.rest()};
    case authentication_code::kerberos_v5:
    case authentication_code::gss:
    case authentication_code::gss_continue:
    case authentication_code::sspi:
      break;
  }
  return authentication_other{code, reader.rest()};
}

void append_authentication_ok(byte_buffer& out) {
  write_code(message_writer{out, 'R'}, authentication_code::ok);
}

void append_authentication_cleartext_password(byte_buffer& out) {
  write_code(message_writer{out, 'R'}, authentication_code::cleartext_password);
}

void append_authentication_md5_password(byte_buffer& out, const std::array<std::byte, 4>& salt) {
  write_code(message_writer{out, 'R'}, authentication_code::md5_password).bytes(salt);
}

void append_authentication_sasl(byte_buffer& out, std::span<const std::string_view> mechanisms) {
  message_writer writer{out, 'R'};
  writer.u32(static_cast<std::uint32_t>(authentication_code::sasl));
  for (const std::string_view name : mechanisms) {
    if (!name.empty()) writer.text(name);
  }
  writer.u8(0);
}

void append_authentication_sasl_continue(byte_buffer& out, byte_span data) {
  write_code(message_writer{out, 'R'}, authentication_code::sasl_continue).bytes(data);
}

void append_authentication_sasl_final(byte_buffer& out, byte_span data) {
  write_code(message_writer{out, 'R'}, authentication_code::sasl_final).bytes(data);
}

result<byte_buffer> strip_channel_binding(byte_span body) {
  auto message = decode_authentication(body);
  if (!message) return fail(std::move(message.error()));
  auto* sasl = std::get_if<authentication_sasl>(&*message);
  if (sasl == nullptr) return fail(malformed_authentication());
  std::erase_if(sasl->mechanisms, [](std::string_view name) { return name.ends_with("-PLUS"); });
  if (sasl->mechanisms.empty()) {
    return fail({error_source::gateway, error_reaction::close, sqlstates::invalid_authorization,
                 "the server offers only authentication with channel binding, which cannot be relayed",
                 "Let the gateway authenticate (auth: scram), or use TLS passthrough."});
  }
  byte_buffer out;
  append_authentication_sasl(out, sasl->mechanisms);
  return out;
}

result<std::string_view> decode_password_message(byte_span body) {
  message_reader reader{body};
  const std::string_view password = reader.text();
  if (!reader.complete()) return fail(malformed(error_source::client, "password"));
  return password;
}

result<sasl_initial_response> decode_sasl_initial_response(byte_span body) {
  message_reader reader{body};
  sasl_initial_response response;
  response.mechanism = reader.text();
  const std::uint32_t size = reader.u32();
  if (size != UINT32_MAX) response.data = reader.bytes(size);
  if (!reader.complete() || response.mechanism.empty()) {
    return fail(malformed(error_source::client, "SASL initial response"));
  }
  return response;
}

void append_password_message(byte_buffer& out, std::string_view password) {
  message_writer{out, 'p'}.text(password);
}

void append_sasl_initial_response(byte_buffer& out, std::string_view mechanism,
                                  std::optional<byte_span> data) {
  message_writer writer{out, 'p'};
  writer.text(mechanism).u32(data ? static_cast<std::uint32_t>(data->size()) : UINT32_MAX);
  if (data) writer.bytes(*data);
}

void append_sasl_response(byte_buffer& out, byte_span data) {
  message_writer{out, 'p'}.bytes(data);
}

}  // namespace trunkline::protocol
