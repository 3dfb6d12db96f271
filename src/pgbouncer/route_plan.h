// Which routes one database of PgBouncer becomes: one where all users are the same to it, several where
// they are let in, logged in or bounded in different ways. Used by one conversion.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pgbouncer/conversion_state.h"

namespace trunkline::pgbouncer {

enum class plan_auth : std::uint8_t {
  file,    ///< SCRAM with auth_file
  query,   ///< SCRAM with auth_query
  trust,   ///< nobody is asked
  server,  ///< the server asks: for users of whom only an md5 hash is known
};

struct query_plan {
  std::string sql;
  std::string user;
  std::string variable;  ///< with its password; empty: none
  std::string database;
};

struct route_plan {
  const named_values* database = nullptr;
  const named_values* user = nullptr;       ///< its line in [users]; null: none
  std::string suffix = {};                  ///< of its name
  std::vector<std::string> listeners = {};  ///< empty: all
  std::vector<std::string> users = {};      ///< patterns; empty: all
  plan_auth auth = plan_auth::file;
  query_plan query = {};
  std::string credentials_user = {};      ///< empty: each client's own name
  std::string credentials_variable = {};  ///< with the password; empty: none
};

/// In the order in which they must stand. `server_may_check`: plan_auth::server can work.
std::vector<route_plan> plan_routes(conversion_state& state, const named_values& database,
                                    bool server_may_check);

}  // namespace trunkline::pgbouncer
