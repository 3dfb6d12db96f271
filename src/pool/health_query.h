// What the health check asks a server, and what its answer says. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace trunkline::pool {

struct health_answer {
  bool in_recovery = false;
  std::uint64_t system_identifier = 0;   ///< 0: not known
  std::uint32_t timeline = 0;            ///< 0: not known
  std::uint64_t position = 0;            ///< WAL written, or replayed in recovery; 0: not known
  std::int64_t postmaster_start_us = 0;  ///< since 1970: tells two names of one server; 0: not known
  int version = 0;                       ///< server_version_num
  /// In recovery: how long ago what it replayed last was committed, by its own clock; nothing: never.
  std::optional<std::chrono::milliseconds> behind_by_own_clock = {};
  bool all_received_is_replayed = false;
};

/// One statement with one row; of PostgreSQL 10 and later. `full` also reads the control file, which a
/// managed server may not let everybody do.
std::string_view health_query(bool full);

/// Nothing where the row is not what was asked for.
std::optional<health_answer> read_health_row(std::span<const std::optional<byte_span>> row);

/// "16/B374D848"
std::optional<std::uint64_t> parse_lsn(std::string_view text);

}  // namespace trunkline::pool
