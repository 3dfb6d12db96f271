// The record layer's part that answers what is not data: alerts and handshake messages after the handshake.
#include <algorithm>
#include <cstring>

#include "tls/openssl.h"
#include "tls/record_layer.h"

namespace trunkline::tls {
namespace {

constexpr std::uint8_t alert_close_notify = 0;
constexpr std::uint8_t alert_unexpected_message = 10;
constexpr std::uint8_t alert_illegal_parameter = 47;
constexpr std::uint8_t alert_decode_error = 50;
constexpr std::uint8_t alert_internal_error = 80;
constexpr std::uint8_t alert_user_canceled = 90;
constexpr std::uint8_t alert_no_renegotiation = 100;

constexpr std::uint8_t level_warning = 1;
constexpr std::uint8_t level_fatal = 2;

constexpr std::byte message_new_session_ticket{4};
constexpr std::byte message_key_update{24};

}  // namespace

record_layer::verdict record_layer::take_alert(parts plain, spill& output) {
  std::array<std::byte, 2> alert{};
  if (plain.first.size() + plain.second.size() != alert.size()) {
    return fail(alert_decode_error, "the peer sent a malformed alert", output);
  }
  std::copy(plain.second.begin(), plain.second.end(),
            std::copy(plain.first.begin(), plain.first.end(), alert.begin()));
  const auto level = std::to_integer<std::uint8_t>(alert[0]);
  const auto kind = std::to_integer<std::uint8_t>(alert[1]);
  if (kind == alert_close_notify) return verdict::closed;
  // RFC 8446 section 6: all alerts are fatal but these, whatever their level says; RFC 5246 leaves it to the
  // level.
  const bool harmless = kind == alert_user_canceled || (!reader_->is_tls_1_3() && level == level_warning);
  if (harmless) return verdict::went_on;
  failure_ = std::string(server_ ? "the client" : "the server") +
             " ended the session with the TLS alert: " + SSL_alert_desc_string_long(kind);
  return verdict::failed;
}

record_layer::verdict record_layer::take_handshake(parts plain, spill& output) {
  const std::size_t size = plain.first.size() + plain.second.size();
  if (size == 0) return fail(alert_unexpected_message, "the peer sent an empty handshake record", output);
  if (!reader_->is_tls_1_3()) {  // it asks to renegotiate, by ClientHello or HelloRequest: RFC 5246
                                 // section 7.2.2
    const std::array<std::byte, 2> refusal{std::byte{level_warning}, std::byte{alert_no_renegotiation}};
    std::size_t none = 0;
    return seal_into(content::alert, refusal, {}, none, output) ? verdict::went_on : verdict::failed;
  }
  const verdict said = take_post_handshake(plain.first, plain.second.empty(), output);
  if (said != verdict::went_on) return said;
  return take_post_handshake(plain.second, true, output);
}

/// Walks messages, which may begin and end anywhere in a record. `last`: nothing of the record follows this
/// part.
record_layer::verdict record_layer::take_post_handshake(byte_span part, bool last, spill& output) {
  while (!part.empty()) {
    if (skip_ > 0) {
      const std::size_t count = std::min<std::size_t>(skip_, part.size());
      skip_ -= static_cast<std::uint32_t>(count);
      part = part.subspan(count);
      continue;
    }
    message_[message_size_++] = part[0];
    part = part.subspan(1);
    const verdict said = end_of_header(last && part.empty(), output);
    if (said != verdict::went_on) return said;
  }
  return verdict::went_on;
}

/// Looks at the head of a message as soon as there is enough of it: type 1, length 3, a key update's
/// request 1.
record_layer::verdict record_layer::end_of_header(bool nothing_follows, spill& output) {
  constexpr std::uint8_t header = 4;
  if (message_size_ < header) return verdict::went_on;
  const std::uint32_t length = load_u32(message_.data()) & 0xff'ffff;
  if (message_[0] == message_new_session_ticket && !server_) {
    // Only tickets that come after the first data are skipped; the earlier ones OpenSSL has seen
    // (handover.h).
    skip_ = length;
    message_size_ = 0;
    return verdict::went_on;
  }
  if (message_[0] != message_key_update) {
    return fail(alert_unexpected_message, "the peer sent a handshake message that has no place here", output);
  }
  if (length != 1) return fail(alert_decode_error, "the peer sent a malformed key update", output);
  if (message_size_ == header) return verdict::went_on;
  message_size_ = 0;
  // RFC 8446 section 5.1: keys change at the end of a record.
  if (!nothing_follows)
    return fail(alert_unexpected_message, "the peer sent data behind a key update", output);
  const auto request = std::to_integer<std::uint8_t>(message_[4]);
  if (request > 1) return fail(alert_illegal_parameter, "the peer sent a malformed key update", output);
  if (update_reader(request == 1, output)) return verdict::went_on;
  return fail(alert_internal_error, "the keys could not be updated", output);
}

bool record_layer::update_reader(bool answer, spill& output) {
  if (!reader_->update()) return false;
  std::size_t none = 0;
  return !answer || update_writer({}, none, output);
}

/// Tells the peer, under the old key, and takes the next one.
bool record_layer::update_writer(mutable_byte_span out, std::size_t& produced, spill& output) {
  const std::array<std::byte, 5> message{message_key_update, std::byte{0}, std::byte{0}, std::byte{1},
                                         std::byte{0}};
  return seal_into(content::handshake, message, out, produced, output) && writer_->update();
}

record_layer::verdict record_layer::fail(std::uint8_t alert, std::string why, spill& output) {
  const std::array<std::byte, 2> message{std::byte{level_fatal}, std::byte{alert}};
  std::size_t none = 0;
  seal_into(content::alert, message, {}, none, output);
  failure_ = std::move(why);
  return verdict::failed;
}

}  // namespace trunkline::tls
