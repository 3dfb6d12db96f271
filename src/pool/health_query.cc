#include "pool/health_query.h"

#include <algorithm>
#include <charconv>

namespace trunkline::pool {
namespace {

// A branch of CASE that is not taken is not evaluated: pg_current_wal_lsn() fails in recovery.
constexpr std::string_view columns =
    "SELECT r, CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,"
    " CASE WHEN r THEN NULL ELSE "
    "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()),1,8)"
    " END,"
    " (extract(epoch from pg_catalog.pg_postmaster_start_time())*1000000)::bigint,"
    " pg_catalog.current_setting('server_version_num'),"
    " CASE WHEN r THEN (extract(epoch from"
    " pg_catalog.clock_timestamp()-pg_catalog.pg_last_xact_replay_timestamp())*1000)::bigint END,"
    " CASE WHEN r THEN pg_catalog.pg_last_wal_receive_lsn() IS NOT DISTINCT FROM"
    " pg_catalog.pg_last_wal_replay_lsn() END";
constexpr std::string_view control_columns =
    ", (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
    " (SELECT greatest(c.timeline_id, n.min_recovery_end_timeline)"
    " FROM pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() n)";
constexpr std::string_view no_control_columns = ", NULL, NULL";
constexpr std::string_view from_clause = " FROM pg_catalog.pg_is_in_recovery() AS r";

template <const auto& Last>
const std::string& whole() {
  static const std::string text = std::string(columns) + std::string(Last) + std::string(from_clause);
  return text;
}

constexpr std::size_t column_count = 9;

template <class Number>
Number number_of(const std::optional<byte_span>& value, int base = 10) {
  Number made{};
  if (!value) return made;
  const std::string_view text = as_text(*value);
  const auto read = std::from_chars(text.data(), text.data() + text.size(), made, base);
  return read.ec == std::errc() && read.ptr == text.data() + text.size() ? made : Number{};
}

}  // namespace

std::string_view health_query(bool full) {
  return full ? whole<control_columns>() : whole<no_control_columns>();
}

std::optional<std::uint64_t> parse_lsn(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::uint32_t high = 0;
  std::uint32_t low = 0;
  const auto read = [](std::string_view part, std::uint32_t& into) {
    const auto done = std::from_chars(part.data(), part.data() + part.size(), into, 16);
    return !part.empty() && done.ec == std::errc() && done.ptr == part.data() + part.size();
  };
  if (!read(text.substr(0, slash), high) || !read(text.substr(slash + 1), low)) return std::nullopt;
  return std::uint64_t{high} << 32 | low;
}

std::optional<health_answer> read_health_row(std::span<const std::optional<byte_span>> row) {
  if (row.size() != column_count || !row[0]) return std::nullopt;
  const std::string_view recovery = as_text(*row[0]);
  if (recovery != "t" && recovery != "f") return std::nullopt;
  health_answer made{.in_recovery = recovery == "t"};
  if (row[1]) made.position = parse_lsn(as_text(*row[1])).value_or(0);
  made.timeline = made.in_recovery ? number_of<std::uint32_t>(row[8]) : number_of<std::uint32_t>(row[2], 16);
  made.postmaster_start_us = number_of<std::int64_t>(row[3]);
  made.version = number_of<int>(row[4]);
  // Its clock may be behind the primary's, which wrote the other time.
  if (row[5])
    made.behind_by_own_clock =
        std::chrono::milliseconds(std::max<std::int64_t>(number_of<std::int64_t>(row[5]), 0));
  made.all_received_is_replayed = row[6] && as_text(*row[6]) == "t";
  made.system_identifier = number_of<std::uint64_t>(row[7]);
  return made;
}

}  // namespace trunkline::pool
