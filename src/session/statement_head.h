// The beginning of the statement that an exchange runs, for the flight recorder: copied as it passes, looked
// at only where the exchange proves slow or fails. Statements that were prepared by name are remembered per
// session. Pure, bounded (limits::statement_head_bytes, limits::statement_names). Owner: one session; one
// loop thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "base/limits.h"

namespace trunkline::session {

/// Names that a client gave to prepared statements, with the beginning of each text.
class statement_names {
 public:
  void set(std::string_view name, std::string_view text);
  std::string_view find(std::string_view name) const;

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, std::string, hash, std::equal_to<>> texts_;
};

/// Collects the first bytes of the first Query, Parse or Bind of one exchange.
class statement_head {
 public:
  void clear() { type_ = 0; }
  bool empty() const { return type_ == 0; }
  void begin(char type) {
    type_ = type;
    size_ = 0;
  }
  void add(byte_span piece);
  /// The statement's text as far as it was kept. Valid until the next change.
  std::string_view text(const statement_names* names) const;

  /// What of a body is worth having: both names and the text.
  static constexpr std::uint32_t wanted = limits::statement_head_bytes;

 private:
  std::array<char, wanted> bytes_;
  std::uint32_t size_ = 0;
  char type_ = 0;
};

}  // namespace trunkline::session
