// Every decoder on any body, and encoders on what was decoded: the first byte picks the decoder.
#include <cstdlib>

#include "protocol/authentication.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"

namespace {

using namespace trunkline;
using namespace trunkline::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Type byte and length word aside, `message` repeats `body`.
void require_same(const byte_buffer& message, byte_span body) {
  require(message.size() == body.size() + 5 && load_u32(message.data() + 1) == body.size() + 4);
  require(std::equal(body.begin(), body.end(), message.begin() + 5));
}

void authentication(byte_span body) {
  const auto message = decode_authentication(body);
  const auto stripped = strip_channel_binding(body);
  require(message.has_value() || !stripped);
  if (!message) return;
  const auto* sasl = std::get_if<authentication_sasl>(&*message);
  if (sasl == nullptr) return;
  byte_buffer out;
  append_authentication_sasl(out, sasl->mechanisms);
  require_same(out, body);
  if (stripped) require(stripped->size() <= out.size());
}

void client_secrets(byte_span body) {
  byte_buffer out;
  if (const auto password = decode_password_message(body)) {
    append_password_message(out, *password);
    require_same(out, body);
  }
  out.clear();
  if (const auto initial = decode_sasl_initial_response(body)) {
    append_sasl_initial_response(out, initial->mechanism, initial->data);
    require_same(out, body);
  }
}

void session_start(byte_span body) {
  byte_buffer out;
  if (const auto key = decode_backend_key_data(body)) {
    append_backend_key_data(out, key->pid, key->key);
    require_same(out, body);
  }
  out.clear();
  if (const auto status = decode_parameter_status(body)) {
    append_parameter_status(out, status->name, status->value);
    require_same(out, body);
  }
  out.clear();
  if (const auto status = decode_ready_for_query(body)) {
    append_ready_for_query(out, *status);
    require_same(out, body);
  }
  out.clear();
  if (const auto negotiated = decode_negotiate_protocol_version(body)) {
    append_negotiate_protocol_version(out, negotiated->newest, negotiated->unknown_options);
    require_same(out, body);
  }
}

void notices(byte_span body) {
  const notice_fields fields{body};
  std::size_t bytes = 0;
  fields.for_each([&](char, std::string_view value) { bytes += value.size() + 2; });
  require(bytes <= body.size());
  (void)fields.is_fatal();
  (void)fields.code();
}

void rows(byte_span body) {
  (void)decode_query(body);
  (void)decode_command_complete(body);
  (void)decode_row_description(body);
  const auto row = decode_data_row(body);
  if (!row) return;
  std::size_t bytes = 2;
  for (const auto& value : *row)
    bytes += 4 + (value ? value->size() : 0);
  require(bytes == body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const byte_span body{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  constexpr void (*decoders[])(byte_span) = {authentication, client_secrets, session_start, notices, rows};
  decoders[data[0] % std::size(decoders)](body);
  return 0;
}
