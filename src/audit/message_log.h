// The messages of one session that no exchange has taken yet, put together from their records (tap.h). Owner:
// the audit thread. Bounded by its user, who takes a part of a long exchange (limits::audit_exchange_bytes);
// of one message at most limits::audit_message_bytes are kept whatever its records say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "audit/tap.h"
#include "base/bytes.h"

namespace trunkline::audit {

struct tapped_message {
  std::uint64_t request = 0;
  std::uint64_t length = 0;  ///< of the whole body
  std::uint32_t offset = 0;
  std::uint32_t size = 0;  ///< what is kept
  char type = 0;
  bool from_client = false;
  bool cut = false;       ///< there was more than is kept
  bool complete = false;  ///< its final piece came
  bool hashed = false;    ///< the 32 bytes behind what is kept are the SHA-256 of the whole body
};

class message_log {
 public:
  void add(const tap_header& head, byte_span payload);
  /// Whole messages, see tap_kind::messages.
  void add_gathered(byte_span payload);
  std::span<const tapped_message> messages() const { return messages_; }
  byte_span body(const tapped_message& of) const { return {bytes_.data() + of.offset, of.size}; }
  /// 32 bytes, or none.
  byte_span hash(const tapped_message& of) const {
    return of.hashed ? byte_span{bytes_.data() + of.offset + of.size, 32} : byte_span{};
  }
  bool empty() const { return messages_.empty(); }
  std::size_t bytes() const { return bytes_.size() + messages_.size() * sizeof(tapped_message); }
  /// Forgets the messages with numbers up to `request`.
  void drop_through(std::uint64_t request);
  void clear();

 private:
  static constexpr std::size_t none = ~std::size_t{0};

  void append(tapped_message& to, byte_span piece);

  std::vector<tapped_message> messages_;
  std::vector<std::byte> bytes_;
  std::array<std::size_t, 2> open_{none, none};  // being received: of the server, of the client
};

}  // namespace trunkline::audit
