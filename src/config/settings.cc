#include "config/settings.h"

#include <fmt/format.h>

#include "config/glob.h"

namespace trunkline::config {

bool address::is_local() const {
  if (is_unix() || host == "localhost") return true;
  const auto ip = ip_address::parse(host);
  return ip && ip->is_loopback();
}

std::string address::text() const {
  if (is_unix()) return "unix:" + path;
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool auth_query::operator==(const auth_query& other) const {
  return sql == other.sql && user == other.user && password.reveal() == other.password.reveal() &&
         password_file == other.password_file && database == other.database;
}

bool server_user::operator==(const server_user& other) const {
  return user == other.user && password.reveal() == other.password.reveal() &&
         password_file == other.password_file;
}

bool access_webhook::operator==(const access_webhook& other) const {
  return url.reveal() == other.url.reveal() && url_file == other.url_file &&
         secret.reveal() == other.secret.reveal() && secret_file == other.secret_file &&
         format == other.format;
}

const server_user& credentials::of(std::string_view principal) const {
  for (const auto& each : principals)
    for (const auto& glob : each.principals)
      if (glob_match(glob, principal)) return each.as;
  return usual;
}

bool health::operator==(const health& other) const {
  return interval == other.interval && timeout == other.timeout && user == other.user &&
         password.reveal() == other.password.reveal() && password_file == other.password_file &&
         database == other.database && max_replica_lag == other.max_replica_lag &&
         slow_start == other.slow_start;
}

bool replicas::operator==(const replicas& other) const {
  return number == other.number && key.reveal() == other.key.reveal() && key_file == other.key_file &&
         endpoints == other.endpoints && found == other.found && tls == other.tls;
}

}  // namespace trunkline::config
