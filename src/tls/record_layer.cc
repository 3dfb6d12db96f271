#include "tls/record_layer.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"
#include "tls/span_bio.h"

namespace trunkline::tls {
namespace {

constexpr std::size_t ciphertext_max =
    record_plaintext + 256;  // RFC 8446 section 5.2; generous for TLS 1.2 AEAD
constexpr std::uint8_t idle_records_max = 32;
/// RFC 8446 section 5.5: AES-GCM is to be rekeyed before 2^24.5 full records.
constexpr std::uint64_t records_per_key = std::uint64_t{1} << 24;

constexpr std::uint8_t unexpected_message = 10;
constexpr std::uint8_t bad_record_mac = 20;
constexpr std::uint8_t record_overflow = 22;

}  // namespace

record_layer::record_layer(bool server, std::unique_ptr<record_cipher> reader,
                           std::unique_ptr<record_cipher> writer)
    : reader_(std::move(reader)), writer_(std::move(writer)), server_(server) {}

bool record_layer::has_plaintext() const {
  if (held_ != nullptr) return true;
  return partial_ != nullptr && partial_->size() > record_header_bytes &&
         partial_->size() == wanted_bytes(*partial_);
}

step record_layer::decrypt(byte_span in, mutable_byte_span out, spill& output) {
  std::size_t consumed = 0;
  std::size_t produced = hand_out(out);
  while (held_ == nullptr) {
    if (output != nullptr && output->size() >= limits::tls_pending_output_bytes) break;
    byte_span record;
    if (!find_record(in, consumed, record))
      return {produced > 0 ? status::ok : status::want_input, consumed, produced};
    const bool was_partial = partial_ != nullptr;
    const verdict said = take_record(record, out.subspan(produced), produced, output);
    if (said == verdict::no_space) break;
    if (was_partial)
      partial_.reset();
    else
      consumed += record.size();
    if (said == verdict::closed) return {status::peer_closed, consumed, produced};
    if (said == verdict::failed) return {status::failed, consumed, produced};
  }
  return {status::want_output_space, consumed, produced};
}

/// A whole record, in the input or, where it came in pieces, joined in `partial_`. False: all input was taken
/// and there is none. A header that cannot be right is found at once, to be refused by take_record.
bool record_layer::find_record(byte_span in, std::size_t& consumed, byte_span& record) {
  if (partial_ == nullptr) {
    const byte_span rest = in.subspan(consumed);
    const std::size_t wanted = wanted_bytes(rest);
    if (rest.size() >= wanted) {
      record = rest.first(wanted);
      return true;
    }
    if (rest.empty()) return false;
    partial_ = std::make_unique<std::vector<std::byte>>();
  }
  while (partial_->size() < wanted_bytes(*partial_)) {
    const byte_span rest = in.subspan(consumed);
    if (rest.empty()) return false;
    const std::size_t wanted = wanted_bytes(*partial_);
    partial_->reserve(wanted);
    const byte_span part = rest.first(std::min(rest.size(), wanted - partial_->size()));
    partial_->insert(partial_->end(), part.begin(), part.end());
    consumed += part.size();
  }
  record = *partial_;
  return true;
}

/// How long the record is that `begun` begins, as far as can be said; no more than a header that cannot be
/// right.
std::size_t record_layer::wanted_bytes(byte_span begun) const {
  if (begun.size() < record_header_bytes || !known_type(begun) || !possible_length(begun))
    return record_header_bytes;
  return record_header_bytes + load_u16(begun.data() + 3);
}

bool record_layer::known_type(byte_span header) const {
  const auto type = static_cast<content>(header[0]);
  if (header[1] != std::byte{3}) return false;
  if (type == content::application_data) return true;
  return !reader_->is_tls_1_3() && (type == content::alert || type == content::handshake);
}

bool record_layer::possible_length(byte_span header) const {
  const std::size_t fragment = load_u16(header.data() + 3);
  return fragment <= ciphertext_max && reader_->opened_size(fragment) <= ciphertext_max;
}

record_layer::verdict record_layer::take_record(byte_span record, mutable_byte_span out,
                                                std::size_t& produced, spill& output) {
  if (!known_type(record)) {
    return fail(unexpected_message, "the peer sent a record that has no place here", output);
  }
  if (!possible_length(record))
    return fail(record_overflow, "the peer sent a record of impossible length", output);
  const byte_span fragment = record.subspan(record_header_bytes);
  const std::size_t size = reader_->opened_size(fragment.size());
  // The inner type of TLS 1.3 may well find no room: the tail has its own place.
  std::array<std::byte, 64> small;
  std::vector<std::byte> large;
  const std::size_t direct = std::min(size, out.size());
  mutable_byte_span tail;
  if (size - direct <= small.size()) {
    if (out.empty()) return verdict::no_space;
    tail = mutable_byte_span(small).first(size - direct);
  } else {
    if (produced > 0 || out.empty()) return verdict::no_space;
    large.resize(size - direct);
    tail = large;
  }
  if (!reader_->open(record.first(record_header_bytes), fragment, out.first(direct), tail)) {
    return fail(bad_record_mac, "decryption failed or bad record mac", output);
  }
  parts plain{out.first(direct), tail};
  auto type = static_cast<content>(record[0]);
  if (reader_->is_tls_1_3() && !unpad(plain, type)) {
    return fail(unexpected_message, "the peer sent a record without a type", output);
  }
  if (plain.first.size() + plain.second.size() > record_plaintext) {
    return fail(record_overflow, "the peer sent a record of impossible length", output);
  }
  return take_content(type, plain, produced, output);
}

/// RFC 8446 section 5.4: content, its type, then zeros.
bool record_layer::unpad(parts& plain, content& type) {
  for (byte_span* part : {&plain.second, &plain.first}) {
    std::size_t size = part->size();
    while (size > 0 && (*part)[size - 1] == std::byte{0})
      --size;
    if (size > 0) {
      type = static_cast<content>((*part)[size - 1]);
      *part = part->first(size - 1);
      return true;
    }
    *part = {};
  }
  return false;
}

record_layer::verdict record_layer::take_content(content type, parts plain, std::size_t& produced,
                                                 spill& output) {
  const bool in_message = message_size_ > 0 || skip_ > 0;
  if (in_message && type != content::handshake) {
    return fail(unexpected_message, "the peer interrupted a handshake message", output);
  }
  const bool data = type == content::application_data && plain.first.size() + plain.second.size() > 0;
  idle_records_ = data ? 0 : static_cast<std::uint8_t>(idle_records_ + 1);
  if (idle_records_ > idle_records_max) {
    return fail(unexpected_message, "the peer sends records without data over and over", output);
  }
  switch (type) {
    case content::application_data:
      produced += plain.first.size();
      hold_rest(plain.second);
      return verdict::went_on;
    case content::alert:
      return take_alert(plain, output);
    case content::handshake:
      return take_handshake(plain, output);
    default:
      return fail(unexpected_message, "the peer sent a record that has no place here", output);
  }
}

void record_layer::hold_rest(byte_span rest) {
  if (rest.empty()) return;
  held_ = std::make_unique<std::vector<std::byte>>(rest.begin(), rest.end());
  held_at_ = 0;
}

std::size_t record_layer::hand_out(mutable_byte_span out) {
  if (held_ == nullptr) return 0;
  const std::size_t count = std::min(out.size(), held_->size() - held_at_);
  if (count != 0) std::memcpy(out.data(), held_->data() + held_at_, count);
  held_at_ += count;
  if (held_at_ == held_->size()) held_.reset();
  return count;
}

step record_layer::encrypt(byte_span plain, mutable_byte_span out, spill& output) {
  const std::size_t largest = server_ ? record_plaintext_to_client : record_plaintext;
  std::size_t consumed = 0;
  std::size_t produced = 0;
  while (consumed < plain.size() && output == nullptr) {
    if (writer_->is_tls_1_3() && writer_->sequence() >= records_per_key) {
      if (!update_writer(out, produced, output)) return {status::failed, consumed, produced};
      continue;
    }
    // A record as large as the space allows. Into a space too small for any goes a short record whose tail
    // spills, but only as the first of a call: otherwise the caller comes back with more space.
    const std::size_t room = out.size() - produced;
    const bool fits = room > writer_->overhead();
    if (!fits && (room == 0 || produced > 0)) break;
    const std::size_t most = fits ? std::min(largest, room - writer_->overhead()) : 64;
    const byte_span part = plain.subspan(consumed, std::min(plain.size() - consumed, most));
    if (!seal_into(content::application_data, part, out, produced, output)) {
      return {status::failed, consumed, produced};
    }
    consumed += part.size();
  }
  const bool all = consumed == plain.size() && output == nullptr;
  return {all ? status::ok : status::want_output_space, consumed, produced};
}

std::size_t record_layer::close(mutable_byte_span out, spill& output) {
  const std::array<std::byte, 2> close_notify{std::byte{1}, std::byte{0}};
  std::size_t produced = 0;
  seal_into(content::alert, close_notify, out, produced, output);
  return produced;
}

/// A record behind what is in `out` already; the part that does not fit is spilled. Short ones only where it
/// may not.
bool record_layer::seal_into(content type, byte_span plain, mutable_byte_span out, std::size_t& produced,
                             spill& output) {
  const std::size_t size = plain.size() + writer_->overhead();
  if (output == nullptr && out.size() - produced >= size) {
    if (writer_->seal(type, plain, out.data() + produced)) {
      produced += size;
      return true;
    }
  } else if (std::array<std::byte, 128> record;
             size <= record.size() && writer_->seal(type, plain, record.data())) {
    produced += write_or_spill(byte_span(record).first(size), out.subspan(produced), output);
    return true;
  }
  failure_ = "the record could not be sealed";
  return false;
}

}  // namespace trunkline::tls
