// The record layer of an established session, without the library's session object: about 3 KiB in place of
// 14, and records go from the caller's input straight to the caller's output. All of the handshake stays with
// OpenSSL; this begins where it ends (handover.h). What remains to be done then is little and done here:
// TLS 1.3 (RFC 8446): data, alerts, KeyUpdate in both directions, NewSessionTicket skipped, all else refused.
// TLS 1.2 (RFC 5246): data, alerts, renegotiation answered by no_renegotiation. AEAD ciphers only.
// Owner: one engine. Private to this room.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "tls/engine.h"
#include "tls/record_cipher.h"

namespace trunkline::tls {

using spill = std::unique_ptr<std::vector<std::byte>>;

class record_layer {
 public:
  /// `output`: where answers go that the peer is owed (alerts, key updates). It outlives the layer, or is
  /// renewed by each call's argument: nothing of it is kept.
  record_layer(bool server, std::unique_ptr<record_cipher> reader, std::unique_ptr<record_cipher> writer);

  /// As engine::decrypt. On `failed` the alert is in `output` and failure() says why.
  step decrypt(byte_span in, mutable_byte_span out, spill& output);
  /// As engine::encrypt, without what was pending before.
  step encrypt(byte_span plain, mutable_byte_span out, spill& output);
  /// close_notify; what finds no room in `out` goes to `output`. The bytes written to `out`.
  std::size_t close(mutable_byte_span out, spill& output);

  bool has_plaintext() const;
  const std::string& failure() const { return failure_; }

 private:
  enum class verdict : std::uint8_t { went_on, no_space, closed, failed };
  struct parts {  // the plaintext of one record, which may lie in two places
    byte_span first;
    byte_span second;
  };

  bool find_record(byte_span in, std::size_t& consumed, byte_span& record);
  verdict take_record(byte_span record, mutable_byte_span out, std::size_t& produced, spill& output);
  std::size_t wanted_bytes(byte_span begun) const;
  bool known_type(byte_span header) const;
  bool possible_length(byte_span header) const;
  bool unpad(parts& plain, content& type);
  verdict take_content(content type, parts plain, std::size_t& produced, spill& output);
  void hold_rest(byte_span rest);
  std::size_t hand_out(mutable_byte_span out);

  verdict take_alert(parts plain, spill& output);
  verdict take_handshake(parts plain, spill& output);
  verdict take_post_handshake(byte_span part, bool last, spill& output);
  verdict end_of_header(bool nothing_follows, spill& output);
  bool update_reader(bool answer, spill& output);
  bool update_writer(mutable_byte_span out, std::size_t& produced, spill& output);

  verdict fail(std::uint8_t alert, std::string why, spill& output);
  bool seal_into(content type, byte_span plain, mutable_byte_span out, std::size_t& produced, spill& output);

  std::unique_ptr<record_cipher> reader_;
  std::unique_ptr<record_cipher> writer_;
  std::unique_ptr<std::vector<std::byte>> partial_;  // a record that arrived in part
  std::unique_ptr<std::vector<std::byte>> held_;     // plaintext that found no room; handed out from held_at_
  std::size_t held_at_ = 0;
  std::string failure_;
  std::uint32_t skip_ = 0;              // bytes of a ticket that are still to be skipped
  std::array<std::byte, 5> message_{};  // the head of a handshake message that is not whole yet
  std::uint8_t message_size_ = 0;
  std::uint8_t idle_records_ = 0;  // records in a row that carried no data
  bool server_;
};

}  // namespace trunkline::tls
