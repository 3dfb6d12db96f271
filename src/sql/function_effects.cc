#include "sql/function_effects.h"

#include <algorithm>
#include <array>

#include "sql/builtin_functions.h"

namespace trunkline::sql {

namespace {

struct special {
  std::string_view name;
  effect what;
};

// Each is `inspect` besides. The documentation, 9.17 "Sequence Manipulation Functions", 9.28 "System
// Administration Functions" and 9.3 "Mathematical Functions", says that these work on the session.
constexpr std::array specials{
    special{"currval", effect::sequence_read},
    special{"lastval", effect::sequence_read},
    special{"setseed", effect::seed},
    special{"pg_advisory_lock", effect::advisory_lock},
    special{"pg_advisory_lock_shared", effect::advisory_lock},
    special{"pg_try_advisory_lock", effect::advisory_lock},
    special{"pg_try_advisory_lock_shared", effect::advisory_lock},
    special{"pg_advisory_unlock", effect::advisory_unlock},
    special{"pg_advisory_unlock_shared", effect::advisory_unlock},
    special{"pg_advisory_unlock_all", effect::advisory_unlock},
    special{"pg_backup_start", effect::session_bound},
    special{"pg_backup_stop", effect::session_bound},
    special{"pg_replication_origin_session_setup", effect::session_bound},
    special{"pg_replication_origin_session_reset", effect::session_bound},
    special{"pg_replication_origin_xact_setup", effect::session_bound},
    special{"pg_replication_origin_xact_reset", effect::session_bound},
    // A slot may be temporary: it is the session's.
    special{"pg_create_physical_replication_slot", effect::session_bound},
    special{"pg_create_logical_replication_slot", effect::session_bound},
    special{"pg_copy_physical_replication_slot", effect::session_bound},
    special{"pg_copy_logical_replication_slot", effect::session_bound},
    // They load a library into the session.
    special{"pg_logical_slot_get_changes", effect::load},
    special{"pg_logical_slot_get_binary_changes", effect::load},
    special{"pg_logical_slot_peek_changes", effect::load},
    special{"pg_logical_slot_peek_binary_changes", effect::load},
    special{"fmgr_c_validator", effect::load},
    special{"plpgsql_validator", effect::load},
    // They run a text of SQL.
    special{"query_to_xml", effect::inspect},
    special{"query_to_xmlschema", effect::inspect},
    special{"query_to_xml_and_xmlschema", effect::inspect},
    special{"ts_stat", effect::inspect},
    special{"ts_rewrite", effect::inspect},
    special{"plpgsql_inline_handler", effect::inspect},
    special{"pg_stop_making_pinned_objects", effect::inspect},
};

// Of extensions, wherever they are installed.
constexpr std::array extension_specials{
    special{"dblink_connect", effect::connection},
    special{"dblink_connect_u", effect::connection},
    special{"dblink_disconnect", effect::disconnect},
};

// VOLATILE, for they give something else each time; they write nothing.
constexpr std::array<std::string_view, 26> only_read{
    "clock_timestamp",
    "current_query",
    "gen_random_uuid",
    "pg_blocking_pids",
    "pg_current_wal_flush_lsn",
    "pg_current_wal_insert_lsn",
    "pg_current_wal_lsn",
    "pg_database_size",
    "pg_indexes_size",
    "pg_is_in_recovery",
    "pg_is_wal_replay_paused",
    "pg_last_committed_xact",
    "pg_last_wal_receive_lsn",
    "pg_last_wal_replay_lsn",
    "pg_last_xact_replay_timestamp",
    "pg_lock_status",
    "pg_relation_size",
    "pg_sleep",
    "pg_sleep_for",
    "pg_table_size",
    "pg_tablespace_size",
    "pg_total_relation_size",
    "random",
    "timeofday",
    "uuidv4",
    "uuidv7",
};

// STABLE, and yet they take a number for the transaction.
constexpr std::array<std::string_view, 2> writers{"pg_current_xact_id", "txid_current"};

// After either of them currval() gives what they gave.
constexpr std::array<std::string_view, 2> sequence_writers{"nextval", "setval"};

/// A text of SQL, or a library's.
constexpr bool runs_code(effect what) {
  return what == effect::inspect || what == effect::load;
}

constexpr std::uint32_t inspect_bit = static_cast<std::uint32_t>(effect::inspect);

bool among(const auto& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

function_effects effects_of_function(std::string_view schema, std::string_view name) {
  const auto found = std::ranges::find(extension_specials, name, &special::name);
  if (found != extension_specials.end())
    return {inspect_bit | static_cast<std::uint32_t>(found->what), true, true};
  if (schema.empty() && name == "postgres_fdw_get_connections") return {};
  const builtin kind = schema.empty() || schema == "pg_catalog" ? find_builtin(name) : builtin::none;
  if (kind == builtin::none) return {inspect_bit, true, true};
  // What pg_upgrade calls prepares the session for its next statement.
  if (name.starts_with("binary_upgrade_")) return {inspect_bit, true, true};
  const auto known = std::ranges::find(specials, name, &special::name);
  if (known != specials.end())
    return {inspect_bit | static_cast<std::uint32_t>(known->what), true, runs_code(known->what)};
  if (kind == builtin::stable_function) return {0, among(writers, name)};
  return {0, !among(only_read, name) && !name.starts_with("pg_stat_get_"), among(sequence_writers, name)};
}

}  // namespace trunkline::sql
