#include "sql/guarded_names.h"

#include <algorithm>
#include <array>

#include "sql/guard_facts.h"

namespace trunkline::sql {

namespace {

constexpr std::array<std::string_view, 13> text_runners{
    "crosstab",           "crosstab2",    "crosstab3",
    "crosstab4",          "crosstabn",    "crosstab_hash",
    "connectby",          "query_to_xml", "query_to_xml_and_xmlschema",
    "query_to_xmlschema", "ts_rewrite",   "ts_stat",
    "xpath_table"};

constexpr std::array<std::string_view, 15> file_functions{
    "lo_export",     "lo_import",    "pg_file_rename",          "pg_file_sync", "pg_file_unlink",
    "pg_file_write", "pg_logdir_ls", "pg_ls_archive_statusdir", "pg_ls_dir",    "pg_ls_logdir",
    "pg_ls_tmpdir",  "pg_ls_waldir", "pg_read_binary_file",     "pg_read_file", "pg_stat_file"};

constexpr std::array<std::string_view, 9> large_object_writers{"lo_creat",      "lo_create", "lo_from_bytea",
                                                               "lo_import",     "lo_put",    "lo_truncate",
                                                               "lo_truncate64", "lo_unlink", "lowrite"};

template <class List>
bool is_listed(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

}  // namespace

std::uint32_t facts_of_function(std::string_view name) {
  if (name.size() < 6) return 0;
  if (name.starts_with("dblink") || is_listed(text_runners, name)) return bit(guard_fact::runs_text);
  std::uint32_t found = 0;
  if (is_listed(file_functions, name)) found |= bit(guard_fact::server_files);
  if (is_listed(large_object_writers, name)) found |= bit(guard_fact::large_objects);
  return found;
}

}  // namespace trunkline::sql
