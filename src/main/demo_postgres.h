// A throwaway PostgreSQL for `demo`: found on this machine, made in a given folder, on a unix socket only.
#pragma once

#include <string>

#include "base/redacted.h"
#include "base/result.h"
#include "main/child_process.h"

namespace trunkline::main {

/// The folder that holds `initdb` and `postgres`: TRUNKLINE_PG_BIN, the PATH, /usr/lib/postgresql/*/bin
/// (newest first).
result<std::string> find_postgres();

/// Who runs the server: this user; for root, which PostgreSQL refuses, `postgres` or else `nobody`.
result<std::optional<child_identity>> postgres_identity();

struct demo_server {
  std::string programs = {};  ///< from find_postgres()
  std::string folder;         ///< exists, belongs to `identity`; takes `data`, the socket and `postgres.log`
  std::optional<child_identity> identity = {};
  std::string user;
  secret_text password;

  std::string socket_file() const { return folder + "/.s.PGSQL.5432"; }
  std::string log_file() const { return folder + "/postgres.log"; }
};

/// initdb with scram-sha-256. Takes a second or two.
result<> create_database(const demo_server& server);
/// Answers when the server takes connections.
result<child_process> start_database(const demo_server& server);

}  // namespace trunkline::main
