// Every setting of PgBouncer up to 1.25, by section: the form of its value, its default, and what becomes of
// it here. docs/pgbouncer.md has the same table in words. Static; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace trunkline::pgbouncer {

enum class value_form : std::uint8_t {
  text,
  number,   ///< as strtol with base 0: 0777 is octal
  seconds,  ///< may have decimals
  mode,     ///< session, transaction or statement
};

enum class fate : std::uint8_t {
  mapped,      ///< becomes a key of ours
  not_needed,  ///< nothing is lost without it
  elsewhere,   ///< has its place outside the configuration
  no_equal,    ///< something is lost where it is not at its default
};

struct setting {
  std::string_view name;
  value_form form = value_form::text;
  std::string_view standard = {};  ///< PgBouncer's default; empty: none
  fate becomes = fate::mapped;
  std::string_view word = {};  ///< which key, why not, or what to use instead
};

/// Of `pgbouncer`, `databases`, `users` or `peers`; empty where there is no such section.
std::span<const setting> settings_of(std::string_view section);
const setting* find_setting(std::string_view section, std::string_view name);
/// "pgbouncer", "databases", "users", "peers"
std::span<const std::string_view> section_names();
/// "mapped", "not needed", "elsewhere", "no equal"
std::string_view name_of(fate which);

}  // namespace trunkline::pgbouncer
