// What a DSN says: libpq's connection string or URL (PostgreSQL documentation, "Connection Strings"), with
// libpq's environment and password file behind it. Pure but for `read_password_file`; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/redacted.h"

namespace trunkline::client {

/// `allow` is not among them: it asks without TLS first, and a test should not decide by a refusal.
enum class ssl_mode : std::uint8_t { disable, prefer, require, verify_ca, verify_full };

struct server_address {
  std::string host;        ///< a name, an IP literal, or the folder of a unix socket (it begins with / or @)
  std::string reached_at;  ///< hostaddr where there is one, else the host
  std::uint16_t port = 5432;

  bool is_unix() const { return host.starts_with('/') || host.starts_with('@'); }
  /// "db.example.org:5432", "[::1]:5432", "unix:/run/postgresql/.s.PGSQL.5432"
  std::string text() const;
};

struct conninfo {
  std::vector<server_address> servers;  ///< at least one; tried in this order
  std::string user;
  std::string database;
  secret_text password;
  ssl_mode ssl = ssl_mode::prefer;
  bool direct_tls = false;    ///< sslnegotiation=direct
  std::string ssl_root_cert;  ///< "system": the system's authorities; empty: none was named
  std::string ssl_cert;
  std::string ssl_key;
  std::string options;
  std::string application_name;
  std::chrono::seconds connect_timeout{0};  ///< 0: none was named

  /// Where it leads and as whom, without any secret: "app@db.example.org:5432/app".
  std::string text() const;
};

/// What a name of the environment holds; nothing where it is not set.
using environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The text of a password file; nothing where there is none, or where others may read it.
using password_files = std::function<std::optional<secret_text>(const std::string& path)>;

/// `program` is the application_name where none is named. A key that libpq knows and that means nothing here
/// is passed over. The error tells what is wrong and never repeats a value, which may be the password.
std::expected<conninfo, std::string> parse_conninfo(std::string_view dsn, std::string_view program,
                                                    const environment& named, const password_files& read);

/// Asks this process's environment.
std::optional<std::string> read_environment(const std::string& name);
/// As libpq, a file that the group or others may read is not used.
std::optional<secret_text> read_password_file(const std::string& path);

/// The password of the first line that fits (PostgreSQL documentation, "The Password File").
std::optional<secret_text> find_password(std::string_view file, const server_address& at,
                                         std::string_view database, std::string_view user);

}  // namespace trunkline::client
