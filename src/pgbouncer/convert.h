// From PgBouncer's settings to a configuration of ours: YAML without secrets, the secrets beside it as
// environment variables, and a note for each setting that is not carried over as it is. Reads the auth_file;
// otherwise pure. Any thread; the result belongs to the caller.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <vector>

#include "base/redacted.h"
#include "pgbouncer/ini_settings.h"
#include "pgbouncer/setting_table.h"

namespace trunkline::pgbouncer {

/// What of the machine counts.
struct surroundings {
  std::string folder;            ///< against which PgBouncer resolves relative names: the working directory
  bool has_ipv6 = true;          ///< `listen_addr = *` is both families
  std::string replica_key = {};  ///< the file of the secret that peers share; empty: there is none
  text_reader read = read_text;
};

/// What was not carried over as it is; `no_equal`: something is lost.
struct note {
  fate why = fate::no_equal;
  place where;
  std::string key;
  std::string text;

  /// `file:line: key: no equal: text`
  std::string render() const;
};

/// What concerns the process rather than the gateway in it.
struct process_wishes {
  std::string logfile;
  std::string pidfile;
  std::string user;
  int verbose = 0;
};

struct conversion {
  std::string yaml;
  std::vector<note> notes;
  std::map<std::string, secret_text> secrets;  ///< by the environment variable that the YAML names
  process_wishes process;
};

/// At least one problem where it fails: the settings contradict themselves, or a file cannot be read.
std::expected<conversion, std::vector<config::problem>> convert(const ini_settings& from,
                                                                const surroundings& here);

}  // namespace trunkline::pgbouncer
