// The role that a grant has at a server for as long as it lasts: its name, its keys, and the statements that
// make it, end it and find those that a crash has left behind (docs/credentials.md). Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/scram_keys.h"
#include "base/redacted.h"
#include "config/settings.h"
#include "grants/record.h"

namespace trunkline::session {

struct ephemeral_role {
  std::string name;
  std::int64_t grant = 0;
  std::string principal;
  std::string route;
  std::string upstream;
  std::string database;                ///< at the server
  std::vector<std::string> member_of;  ///< each once
  std::string reassign_to;             ///< empty: nobody can have what it owns
  grants::wall_time until{};
  std::chrono::steady_clock::time_point ends{};  ///< the same, whatever the clock of this machine says
};

/// Of the grant `of`, on that route. `tag`: sets its name apart from those of the same grant that other
/// gateways make.
ephemeral_role role_of(const grants::record& of, const config::route& route, std::string_view database,
                       std::string_view tag);

/// Random: there is no password from which they could be guessed, and nobody but this process has them.
auth::bound_client_keys random_role_keys();

/// One transaction.
secret_text make_statement(const ephemeral_role& role, const auth::bound_client_keys& keys,
                           std::string_view gateway);
/// A row where it is there.
std::string find_statement(std::string_view role);

/// Nobody can log in any more, and whoever is in is ended. A row where the role is there.
std::vector<std::string> close_statements(std::string_view role);
/// A number: its sessions.
std::string sessions_statement(std::string_view role);
/// A row where it owns something, in this database or of all databases.
std::string owns_statement(std::string_view role);
/// One transaction. `reassign_to` empty: it owns nothing.
std::string drop_statement(std::string_view role, std::string_view reassign_to);

/// Roles that a gateway has made and whose time is over: name, what `orphan_of` reads, one that it is a
/// member of.
std::string orphans_statement(std::string_view prefix);
/// Of a role's comment; nothing: it is no role of a gateway's.
struct orphan {
  std::int64_t grant = 0;
  std::string database;
};
std::optional<orphan> orphan_of(std::string_view comment);

}  // namespace trunkline::session
