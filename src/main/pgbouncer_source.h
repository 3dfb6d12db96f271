// A pgbouncer.ini on this machine as a configuration: read, converted, and loaded from memory, so that no
// password of it is written anywhere. Reads files; control thread only.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "main/configuration_source.h"
#include "pgbouncer/convert.h"

namespace trunkline::main {

using ini_overrides = std::map<std::string, std::string>;

/// Where it is, and what PgBouncer has no setting for.
struct ini_place {
  std::string file;
  std::string replica_key;  ///< the file of the secret that peers share; empty: none
};

/// Relative names resolve against the working directory, as PgBouncer has it. `overrides` win over the
/// section [pgbouncer].
std::expected<pgbouncer::conversion, std::vector<config::problem>> convert_pgbouncer(
    const ini_place& from, const ini_overrides& overrides = {});

/// What `trunkline pgbouncer` runs from. The admin address is left out, for PgBouncer listens nowhere else;
/// what has no equal is a warning.
class pgbouncer_source final : public configuration_source {
 public:
  explicit pgbouncer_source(ini_place from) : from_(std::move(from)) {}

  /// Forgets what was SET, as PgBouncer does.
  config::loaded load(std::uint64_t generation) override;
  /// Only settings that have an equal.
  result<> set(const std::string& key, const std::string& value) override;
  config::loaded load_changed(std::uint64_t generation) override;
  /// As PgBouncer: it reads its files when it is told to.
  bool is_watched() const override { return false; }

  /// Of what was loaded first, or last without problems.
  const pgbouncer::process_wishes& wishes() const { return wishes_; }

 private:
  config::loaded read(std::uint64_t generation);

  ini_place from_;
  ini_overrides overrides_;
  std::optional<ini_overrides> before_;  ///< the last SET, until it has been loaded
  pgbouncer::process_wishes wishes_;
};

}  // namespace trunkline::main
