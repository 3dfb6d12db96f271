// Shared by the tests of this folder: bytes from text, and cutting input at every place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol::test {

inline byte_buffer bytes_of(std::string_view text) {
  const byte_span span = as_bytes(text);
  return {span.begin(), span.end()};
}

inline byte_buffer big_endian(std::uint32_t value) {
  byte_buffer out(4);
  store_u32(out.data(), value);
  return out;
}

inline byte_buffer operator+(byte_buffer left, const byte_buffer& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// The body of the one message in `message`: what is behind type byte and length word.
inline byte_span body_of(const byte_buffer& message) {
  return byte_span{message}.subspan(5);
}

/// What `append(buffer)` appends.
template <class Append>
byte_buffer built(Append&& append) {
  byte_buffer out;
  append(out);
  return out;
}

/// A message of that type with a body of `size` bytes.
inline byte_buffer message_of(char type, std::size_t size) {
  return built([&](byte_buffer& out) { message_writer{out, type}.bytes(byte_buffer(size, std::byte{'x'})); });
}

inline byte_buffer message_of(char type, std::string_view body) {
  return built([&](byte_buffer& out) { message_writer{out, type}.bytes(as_bytes(body)); });
}

/// A copy of exactly these bytes, so that a sanitizer sees any read past them.
inline byte_buffer exact(byte_span bytes) {
  return {bytes.begin(), bytes.end()};
}

/// How many of the proper prefixes of `body` the decoder accepts.
template <class Decode>
std::size_t accepted_truncations(byte_span body, Decode&& decode) {
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < body.size(); ++size) {
    const byte_buffer cut = exact(body.first(size));
    accepted += decode(byte_span{cut}).has_value() ? 1 : 0;
  }
  return accepted;
}

}  // namespace trunkline::protocol::test
