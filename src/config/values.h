// The small languages inside a configuration's scalars: durations, sizes, addresses. Pure; any thread.
// Each parser takes the whole text (no surrounding blanks) and answers nothing where it does not fit.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace trunkline::config {

/// "250ms", "30s", "5m", "1h", or "0". Whole numbers only; at most 10000 days, so that sums cannot overflow.
std::optional<milliseconds> parse_duration(std::string_view text);
/// The largest unit that says it exactly: 90000 ms is "90s", 120000 ms "2m".
std::string format_duration(milliseconds value);

/// "4096", "64KiB", "16MiB", "1GiB": bytes. At most 2^53.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string format_size(std::uint64_t bytes);

/// Decimal digits only, no sign, no blanks.
std::optional<std::int64_t> parse_integer(std::string_view text);

/// `ip:port`, `[v6]:port` or `unix:/path`; a port of 0 lets the kernel choose.
std::optional<address> parse_listen_address(std::string_view text);
/// `host:port`, `ip:port`, `[v6]:port` or `unix:/path`; the port is at least 1.
std::optional<address> parse_endpoint(std::string_view text);

/// The candidate nearest to `word` by insertions, deletions, replacements and swaps of neighbours, ignoring
/// case; nothing where none is near (more than a third of the word would change).
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace trunkline::config
