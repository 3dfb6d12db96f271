// Spans of bytes, and integers in network byte order (PostgreSQL protocol: all integers are big-endian).
// Pure functions; the caller guarantees that the span is long enough (a precondition, not input).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace trunkline {

using byte_span = std::span<const std::byte>;
using mutable_byte_span = std::span<std::byte>;

inline byte_span as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline std::string_view as_text(byte_span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Integer>
Integer load_big_endian(const std::byte* from) {
  Integer value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (sizeof value == 2) value = static_cast<Integer>(__builtin_bswap16(value));
  if constexpr (sizeof value == 4) value = static_cast<Integer>(__builtin_bswap32(value));
  if constexpr (sizeof value == 8) value = static_cast<Integer>(__builtin_bswap64(value));
  static_assert(std::endian::native == std::endian::little);
  return value;
}

template <class Integer>
void store_big_endian(std::byte* to, Integer value) {
  value = load_big_endian<Integer>(reinterpret_cast<const std::byte*>(&value));
  std::memcpy(to, &value, sizeof value);
}

inline std::uint16_t load_u16(const std::byte* from) {
  return load_big_endian<std::uint16_t>(from);
}
inline std::uint32_t load_u32(const std::byte* from) {
  return load_big_endian<std::uint32_t>(from);
}
inline void store_u16(std::byte* to, std::uint16_t value) {
  store_big_endian(to, value);
}
inline void store_u32(std::byte* to, std::uint32_t value) {
  store_big_endian(to, value);
}

}  // namespace trunkline
