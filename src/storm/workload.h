// What a client of the storm does again and again. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace trunkline::storm {

enum class workload : std::uint8_t {
  login,       ///< log in, one statement, log out
  query,       ///< a statement of the simple protocol
  prepared,    ///< one prepared statement, in and over transactions
  pipeline,    ///< several batches of the extended protocol at once, one of them with an error
  copy,        ///< COPY into a temporary table and out of it
  bulk,        ///< a large result, read slowly
  cancel,      ///< a CancelRequest for a statement that sleeps
  notify,      ///< LISTEN on one connection, pg_notify on another
  idle,        ///< long silence between two statements
  disconnect,  ///< leaves without a word, in the middle of what it does
};

struct workload_kind {
  std::string_view name;
  unsigned usual_share;  ///< of the clients, where nothing else is asked for
  std::string_view what;
};

inline constexpr std::array<workload_kind, 10> workload_kinds{{
    {"login", 2, "log in, one statement, log out"},
    {"query", 4, "statements of the simple protocol"},
    {"prepared", 4, "one prepared statement, in and over transactions"},
    {"pipeline", 2, "several batches at once, one of them with an error"},
    {"copy", 1, "COPY into a temporary table and out of it"},
    {"bulk", 1, "a large result, read slowly"},
    {"cancel", 1, "a CancelRequest for a statement that sleeps"},
    {"notify", 1, "LISTEN here, pg_notify there"},
    {"idle", 2, "long silence between two statements"},
    {"disconnect", 1, "clients that leave without a word"},
}};
inline constexpr std::size_t workload_count = workload_kinds.size();

constexpr std::string_view name_of(workload which) {
  return workload_kinds[static_cast<std::size_t>(which)].name;
}

/// Shares of the clients, by workload; 0: none.
struct workload_mix {
  std::array<unsigned, workload_count> shares{};

  bool has(workload which) const { return shares[static_cast<std::size_t>(which)] > 0; }
  void drop(workload which) { shares[static_cast<std::size_t>(which)] = 0; }
  bool empty() const;
  /// What the client with that number does: the shares are spread evenly, so that the first few clients
  /// already are a mixture. Precondition: not empty.
  workload of_client(std::size_t number) const;

  static workload_mix usual();
  static workload_mix only(workload which);
};

/// "query,prepared=3,idle=2"; a share is 1 where none is named, and at most 1,000.
std::expected<workload_mix, std::string> parse_workloads(std::string_view list);

}  // namespace trunkline::storm
