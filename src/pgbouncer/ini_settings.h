// A pgbouncer.ini as checked values: what each section says, by name, with its place. Unknown sections and
// keys, values of the wrong form and connection strings that cannot be read are problems; all are collected.
// Built by one load, then only read; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pgbouncer/ini_file.h"
#include "pgbouncer/setting_table.h"

namespace trunkline::pgbouncer {

struct given_value {
  secret_text value;
  place where;
};

/// What was given of one section, or for one database, user or peer. The section decides which names exist.
class given_values {
 public:
  explicit given_values(std::string_view section) : section_(section) {}

  /// A problem where there is no such setting, or the value has not its form.
  std::optional<config::problem> set(const std::string& name, given_value value);

  const given_value* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// The value, or PgBouncer's default.
  std::string text(std::string_view name) const;
  std::int64_t number(std::string_view name) const;
  std::chrono::milliseconds seconds(std::string_view name) const;
  /// Given, and something else than PgBouncer's default.
  bool differs(std::string_view name) const;

  std::string_view section() const { return section_; }
  const std::map<std::string, given_value, std::less<>>& all() const { return values_; }

 private:
  std::string_view section_;
  std::map<std::string, given_value, std::less<>> values_;
};

/// One line of [databases], [users] or [peers].
struct named_values {
  std::string name;
  place where;
  given_values values;
};

struct ini_settings {
  given_values globals{"pgbouncer"};
  std::vector<named_values> databases;  ///< each once, the last line of its name; "*" where it stands
  std::vector<named_values> users;
  std::vector<named_values> peers;
  std::vector<std::string> files;
};

/// At least one problem where it fails.
std::expected<ini_settings, std::vector<config::problem>> read_settings(const ini_file& from);

/// `key=value key='it''s'` of a connection string, as PgBouncer splits it.
std::expected<std::vector<std::pair<std::string, secret_text>>, std::string> split_pairs(
    std::string_view text);
/// The parts of a list with commas, without blanks and empty parts.
std::vector<std::string> split_list(std::string_view text);

}  // namespace trunkline::pgbouncer
