// The hot path: walks the message headers of one direction in place, over chunks of any size. Bodies are
// skipped by their length; nothing is kept but the rest of the current body and up to four bytes of a split
// header. Owned by one session on one worker; no allocation, no locks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/limits.h"

namespace trunkline::protocol {

/// `bad`: a length word outside limits::message_length_min..max. The walker stays bad; the session ends.
enum class [[nodiscard]] walk_result : std::uint8_t { ok, bad };

/// A Visitor has two members, both called in stream order and the same however the stream is cut:
///   std::uint32_t on_header(char type, std::uint32_t length);
///     once per message; `length` counts itself. Answers how many of the body's first bytes it wants: 0
///     mostly.
///   void on_body(char type, byte_span piece, bool last);
///     the wanted bytes (fewer where the body is shorter, never called where it is empty), in one piece where
///     the chunk holds them all, else in several; `last` marks the final one. The span lives for the call.
class header_walker {
 public:
  template <class Visitor>
  walk_result walk(byte_span chunk, Visitor&& visitor) {
    const std::byte* at = chunk.data();
    const std::byte* const end = at + chunk.size();
    if (remaining_ != 0 || header_size_ != 0) [[unlikely]] {
      if (is_bad()) return walk_result::bad;
      if (remaining_ != 0) {
        at = continue_body(at, end, visitor);
      } else {
        at = continue_header(at, end, visitor);
        if (is_bad()) return walk_result::bad;
      }
    }
    while (static_cast<std::size_t>(end - at) >= header_bytes) {
      const char type = static_cast<char>(*at);
      const std::uint32_t length = load_u32(at + 1);
      if (!legal(length)) [[unlikely]]
        return fail();
      const std::uint32_t wanted = visitor.on_header(type, length);
      if (wanted != 0) [[unlikely]] {
        at = start_body(at + header_bytes, end, type, length, wanted, visitor);
        continue;
      }
      const std::size_t size = std::size_t{1} + length;
      const std::size_t here = static_cast<std::size_t>(end - at);
      if (size > here) {
        remaining_ = static_cast<std::uint32_t>(size - here);
        return walk_result::ok;
      }
      at += size;
    }
    if (at != end) keep_header(at, end);
    return walk_result::ok;
  }

  /// Nothing of a message is under way: the next byte is a type byte.
  bool at_boundary() const { return remaining_ == 0 && header_size_ == 0; }
  bool is_bad() const { return header_size_ > header_bytes; }

 private:
  static constexpr std::size_t header_bytes = 5;
  static constexpr std::uint8_t bad_mark = 0xff;

  static bool legal(std::uint32_t length) {
    return length - limits::message_length_min <= limits::message_length_max - limits::message_length_min;
  }

  walk_result fail() {
    header_size_ = bad_mark;
    remaining_ = 0;
    return walk_result::bad;
  }

  void keep_header(const std::byte* at, const std::byte* end) {
    header_size_ = static_cast<std::uint8_t>(end - at);
    std::memcpy(header_, at, header_size_);
  }

  /// `at` is the first body byte (or the end of the chunk). Answers where the walk goes on.
  template <class Visitor>
  const std::byte* start_body(const std::byte* at, const std::byte* end, char type, std::uint32_t length,
                              std::uint32_t wanted, Visitor& visitor) {
    remaining_ = length - limits::message_length_min;
    wanted_ = std::min(wanted, remaining_);
    type_ = type;
    return remaining_ == 0 ? at : continue_body(at, end, visitor);
  }

  template <class Visitor>
  const std::byte* continue_body(const std::byte* at, const std::byte* end, Visitor& visitor) {
    const std::size_t here = static_cast<std::size_t>(end - at);
    if (here == 0) return at;
    if (wanted_ != 0) {
      const auto piece = static_cast<std::uint32_t>(std::min<std::size_t>(wanted_, here));
      wanted_ -= piece;
      visitor.on_body(type_, byte_span{at, piece}, wanted_ == 0);
    }
    const auto skipped = static_cast<std::uint32_t>(std::min<std::size_t>(remaining_, here));
    remaining_ -= skipped;
    return at + skipped;
  }

  /// A header began in an earlier chunk. Its length may turn out illegal: see is_bad().
  template <class Visitor>
  const std::byte* continue_header(const std::byte* at, const std::byte* end, Visitor& visitor) {
    const std::size_t take = std::min(header_bytes - header_size_, static_cast<std::size_t>(end - at));
    if (take != 0) std::memcpy(header_ + header_size_, at, take);
    header_size_ = static_cast<std::uint8_t>(header_size_ + take);
    if (header_size_ < header_bytes) return end;
    const char type = static_cast<char>(header_[0]);
    const std::uint32_t length = load_u32(header_ + 1);
    if (!legal(length)) {
      (void)fail();
      return end;
    }
    header_size_ = 0;
    return start_body(at + take, end, type, length, visitor.on_header(type, length), visitor);
  }

  std::uint32_t remaining_ = 0;  ///< bytes of the current body that have not arrived
  std::uint32_t wanted_ = 0;     ///< of those, the ones the visitor asked for
  char type_ = 0;                ///< of the current message, while its body is wanted
  std::uint8_t header_size_ = 0;
  std::byte header_[header_bytes]{};
};

static_assert(sizeof(header_walker) <= 32);

}  // namespace trunkline::protocol
