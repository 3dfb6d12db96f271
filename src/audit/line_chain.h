// Events become the lines of one sink: each has the next sequence number and the SHA-256 of the line before
// it, the line end left out, so that a line that was changed, removed, added or moved is found. A chain
// begins with 64 zeros. Owner: the audit thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace trunkline::audit {

/// Where a chain stands.
struct chain_state {
  std::uint64_t seq = 0;           ///< of the last line; 0: there is none
  std::array<char, 64> hash = {};  ///< its SHA-256 in hex

  chain_state() { hash.fill('0'); }
  std::string_view hash_text() const { return {hash.data(), hash.size()}; }
  bool operator==(const chain_state&) const = default;
};

class line_hash {
 public:
  line_hash();
  ~line_hash();
  line_hash(const line_hash&) = delete;
  line_hash& operator=(const line_hash&) = delete;

  /// SHA-256 as 64 lower-case digits.
  void of(std::string_view line, std::array<char, 64>& hex);

 private:
  struct context;
  std::unique_ptr<context> context_;
};

/// What stands around an event's body.
inline constexpr std::string_view line_begin = "{\"v\":1,\"seq\":";
inline constexpr std::string_view line_before_hash = ",\"prev\":\"";
inline constexpr std::string_view line_end = "\"}\n";

/// Appends the line of `body` and moves `state` on to it. Answers its size, line end included.
std::size_t append_line(std::string& out, std::string_view body, chain_state& state, line_hash& hash);
/// The body of a line as `append_line` made it.
std::string_view body_of(std::string_view line);
/// Where a whole line (without its end) leaves a chain; false: it is none that `append_line` makes.
bool read_chain(std::string_view line, chain_state& state, line_hash& hash);

}  // namespace trunkline::audit
