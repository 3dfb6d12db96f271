// Pieces of a line: numbers, seconds, hex, fields. By hand, without allocation of their own. Pure; any
// thread. Texts are json_text.h's.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace trunkline::audit {

/// What they need at the most.
inline constexpr std::size_t number_width = 20;
inline constexpr std::size_t seconds_width = 28;

/// These answer where the piece ends.
char* put_number(char* to, std::uint64_t number);
char* put_seconds(char* to, std::chrono::nanoseconds value);
/// Six digits, zeros in front.
char* put_micros(char* to, std::uint32_t micros);
/// Two lower-case digits for each byte.
char* put_hex(char* to, byte_span bytes);

/// A part of a line whose greatest size is known, put together without a question about room for each piece.
template <std::size_t capacity>
class line_part {
 public:
  line_part() = default;
  line_part(const line_part&) = delete;
  line_part& operator=(const line_part&) = delete;

  template <std::size_t size>
  void add(const char (&constant)[size]) {
    std::memcpy(end_, constant, size - 1);
    end_ += size - 1;
  }
  void add(std::string_view text) {
    std::memcpy(end_, text.data(), text.size());
    end_ += text.size();
  }
  void add_number(std::uint64_t number) { end_ = put_number(end_, number); }
  void add_seconds(std::chrono::nanoseconds value) { end_ = put_seconds(end_, value); }
  std::string_view text() const { return {text_.data(), static_cast<std::size_t>(end_ - text_.data())}; }

 private:
  std::array<char, capacity> text_;
  char* end_ = text_.data();
};

void append_number(std::string& out, std::uint64_t number);
/// Seconds with six decimals at the most, "0" where there are none; below zero counts as zero.
void append_seconds(std::string& out, std::chrono::nanoseconds value);
void append_seconds(std::string& out, double value);
/// Two lower-case digits for each byte.
void append_hex(std::string& out, byte_span bytes);

/// `,"name":"text"`; nothing where the text is empty.
void append_field(std::string& out, std::string_view name, std::string_view text);
/// `,"name":number`.
void append_field(std::string& out, std::string_view name, std::uint64_t number);

}  // namespace trunkline::audit
