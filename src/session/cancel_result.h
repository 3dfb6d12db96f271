// What becomes of a CancelRequest, as metrics, log and audit name it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::session {

enum class cancel_result : std::uint8_t {
  forwarded,           ///< the session's server has it
  no_such_session,     ///< not a session of this gateway's, and there is nobody else to ask
  server_unreachable,  ///< the session's server has not taken it
  forwarded_to_peer,   ///< another replica knew the session and has served it
  peer_unreachable,    ///< no replica knew the session, and at least one did not say
  unknown_key,         ///< no replica has such a session
  rate_limited,        ///< too many keys of this source, or of all, have turned out to be guesses
  not_a_peer,          ///< a replica's question from somebody without the secret
};

inline constexpr std::size_t cancel_results = 8;
inline constexpr std::array<std::string_view, cancel_results> cancel_result_names{
    "forwarded",        "no_such_session", "server_unreachable", "forwarded_to_peer",
    "peer_unreachable", "unknown_key",     "rate_limited",       "not_a_peer"};

inline constexpr std::string_view name_of(cancel_result which) {
  return cancel_result_names[static_cast<std::size_t>(which)];
}

/// CancelRequests by what became of them. Any thread.
class cancel_counts {
 public:
  void add(cancel_result which) {
    counts_[static_cast<std::size_t>(which)].fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t of(cancel_result which) const {
    return counts_[static_cast<std::size_t>(which)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, cancel_results> counts_{};
};

}  // namespace trunkline::session
