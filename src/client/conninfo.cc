#include "client/conninfo.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

#include "base/limits.h"
#include "client/conninfo_words.h"
#include "runtime/unique_fd.h"

namespace trunkline::client {
namespace {

struct known_key {
  std::string_view key;
  std::string_view variable;  ///< of the environment; empty: there is none
};

constexpr std::array used_keys{
    known_key{"host", "PGHOST"},
    known_key{"hostaddr", "PGHOSTADDR"},
    known_key{"port", "PGPORT"},
    known_key{"user", "PGUSER"},
    known_key{"dbname", "PGDATABASE"},
    known_key{"password", "PGPASSWORD"},
    known_key{"passfile", "PGPASSFILE"},
    known_key{"sslmode", "PGSSLMODE"},
    known_key{"sslnegotiation", "PGSSLNEGOTIATION"},
    known_key{"sslrootcert", "PGSSLROOTCERT"},
    known_key{"sslcert", "PGSSLCERT"},
    known_key{"sslkey", "PGSSLKEY"},
    known_key{"options", "PGOPTIONS"},
    known_key{"application_name", "PGAPPNAME"},
    known_key{"connect_timeout", "PGCONNECT_TIMEOUT"},
    known_key{"target_session_attrs", "PGTARGETSESSIONATTRS"},
};

/// libpq knows them; they change nothing of what is tested here.
constexpr std::array<std::string_view, 21> idle_keys{"client_encoding",
                                                     "fallback_application_name",
                                                     "gssencmode",
                                                     "gssdelegation",
                                                     "gsslib",
                                                     "krbsrvname",
                                                     "keepalives",
                                                     "keepalives_idle",
                                                     "keepalives_interval",
                                                     "keepalives_count",
                                                     "tcp_user_timeout",
                                                     "sslcompression",
                                                     "sslcrl",
                                                     "sslcrldir",
                                                     "sslsni",
                                                     "sslcertmode",
                                                     "sslpassword",
                                                     "ssl_min_protocol_version",
                                                     "load_balance_hosts",
                                                     "channel_binding",
                                                     "ssl_max_protocol_version"};

constexpr std::array<std::pair<std::string_view, ssl_mode>, 5> ssl_modes{
    {{"disable", ssl_mode::disable},
     {"prefer", ssl_mode::prefer},
     {"require", ssl_mode::require},
     {"verify-ca", ssl_mode::verify_ca},
     {"verify-full", ssl_mode::verify_full}}};

std::string own_user() {
  std::array<char, 4096> space{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::geteuid(), &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
    return "";
  return found->pw_name;
}

std::vector<std::string> split_at(std::string_view text, char mark) {
  std::vector<std::string> parts;
  for (;;) {
    const auto at = text.find(mark);
    parts.emplace_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
  Number value{};
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The words of one DSN and of the environment, one key after the other.
class builder {
 public:
  builder(conninfo_words words, std::string_view program, const environment& named)
      : words_(std::move(words)), program_(program), named_(named) {}

  std::expected<conninfo, std::string> build(const password_files& read) {
    check_keys();
    read_servers();
    made_.user = take("user", own_user());
    made_.database = take("dbname", made_.user);
    made_.options = take("options", "");
    made_.application_name = take("application_name", program_);
    read_tls();
    read_timeout();
    if (take("target_session_attrs", "any") != "any")
      wrong("target_session_attrs: one path is tested; name its host alone");
    if (made_.user.empty()) wrong("user: nobody is named, and this process's user has no name");
    read_password(read);
    if (!wrong_.empty()) return std::unexpected(wrong_);
    return std::move(made_);
  }

 private:
  void wrong(std::string why) {
    if (wrong_.empty()) wrong_ = std::move(why);
  }

  std::string take(std::string_view key, std::string otherwise) const {
    if (const auto at = words_.find(std::string(key)); at != words_.end()) return at->second.reveal();
    const auto* known = std::ranges::find(used_keys, key, &known_key::key);
    if (auto set = named_(std::string(known->variable)); set && !set->empty()) return std::move(*set);
    return otherwise;
  }

  void check_keys() {
    for (const auto& [key, value] : words_) {
      const bool used = std::ranges::find(used_keys, key, &known_key::key) != used_keys.end();
      if (!used && std::ranges::find(idle_keys, key) == idle_keys.end())
        wrong("\"" + key + "\" is not a key that is known here");
    }
  }

  void read_servers() {
    const std::string addresses = take("hostaddr", "");
    const auto hosts = split_at(take("host", addresses.empty() ? "localhost" : addresses), ',');
    const auto reached = addresses.empty() ? hosts : split_at(addresses, ',');
    const auto ports = split_at(take("port", "5432"), ',');
    if (reached.size() != hosts.size()) return wrong("hostaddr: there must be one for each host");
    if (ports.size() != 1 && ports.size() != hosts.size())
      return wrong("port: there must be one for all hosts, or one for each");
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      const std::string& port = ports.size() == 1 ? ports[0] : ports[i];
      const auto number = port.empty() ? std::optional<std::uint16_t>(5432) : number_in<std::uint16_t>(port);
      if (!number || *number == 0) return wrong("port: expected a number from 1 to 65535");
      const std::string host = hosts[i].empty() ? "localhost" : hosts[i];
      made_.servers.push_back({host, reached[i].empty() ? host : reached[i], *number});
    }
  }

  void read_tls() {
    const std::string mode = take("sslmode", "prefer");
    const auto* found = std::ranges::find(ssl_modes, mode, &std::pair<std::string_view, ssl_mode>::first);
    if (found == ssl_modes.end())
      return wrong("sslmode: expected disable, prefer, require, verify-ca or verify-full");
    made_.ssl = found->second;
    made_.ssl_root_cert = take("sslrootcert", "");
    made_.ssl_cert = take("sslcert", "");
    made_.ssl_key = take("sslkey", "");
    // As libpq: a root certificate that is named is used.
    if (made_.ssl == ssl_mode::require && !made_.ssl_root_cert.empty()) made_.ssl = ssl_mode::verify_ca;
    if (made_.ssl == ssl_mode::verify_ca && made_.ssl_root_cert == "system")
      made_.ssl = ssl_mode::verify_full;
    const bool verifies = made_.ssl == ssl_mode::verify_ca || made_.ssl == ssl_mode::verify_full;
    if (verifies && made_.ssl_root_cert.empty())
      wrong("sslrootcert: needed where sslmode verifies; \"system\" takes the system's authorities");
    const std::string negotiation = take("sslnegotiation", "postgres");
    if (negotiation != "postgres" && negotiation != "direct")
      return wrong("sslnegotiation: expected postgres or direct");
    made_.direct_tls = negotiation == "direct";
    if (made_.direct_tls && (made_.ssl == ssl_mode::disable || made_.ssl == ssl_mode::prefer))
      wrong("sslnegotiation=direct needs sslmode=require or stronger");
  }

  void read_timeout() {
    const auto seconds = number_in<int>(take("connect_timeout", "0"));
    if (!seconds) return wrong("connect_timeout: expected seconds");
    made_.connect_timeout = std::chrono::seconds(std::clamp(*seconds, 0, 3600));
  }

  void read_password(const password_files& read) {
    made_.password = secret_text(take("password", ""));
    if (!made_.password.empty() || made_.servers.empty()) return;
    const std::string home = named_("HOME").value_or("");
    const auto file = read(take("passfile", home.empty() ? "" : home + "/.pgpass"));
    if (!file) return;
    if (auto found = find_password(file->reveal(), made_.servers.front(), made_.database, made_.user))
      made_.password = std::move(*found);
  }

  const conninfo_words words_;
  const std::string program_;
  const environment& named_;
  conninfo made_;
  std::string wrong_;
};

/// One line of a password file: fields behind colons, with a backslash before a colon that belongs to one.
std::vector<std::string> fields_of(std::string_view line) {
  std::vector<std::string> fields(1);
  for (std::size_t at = 0; at < line.size(); ++at) {
    // The password is the rest of the line, as libpq reads it, but for its escapes.
    if (line[at] == ':' && fields.size() < 5) {
      fields.emplace_back();
    } else {
      if (line[at] == '\\' && at + 1 < line.size()) ++at;
      fields.back() += line[at];
    }
  }
  return fields;
}

}  // namespace

std::string server_address::text() const {
  if (is_unix()) return "unix:" + host + "/.s.PGSQL." + std::to_string(port);
  const bool ipv6 = host.find(':') != host.npos;
  return (ipv6 ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

std::string conninfo::text() const {
  std::string list;
  for (const auto& each : servers)
    list += (list.empty() ? "" : ",") + each.text();
  return user + "@" + list + "/" + database;
}

std::expected<conninfo, std::string> parse_conninfo(std::string_view dsn, std::string_view program,
                                                    const environment& named, const password_files& read) {
  auto words = split_conninfo(dsn);
  if (!words) return std::unexpected(words.error());
  return builder(std::move(*words), program, named).build(read);
}

std::optional<std::string> read_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::optional<secret_text> read_password_file(const std::string& path) {
  const runtime::unique_fd file(path.empty() ? -1 : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat facts{};
  if (!file || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
  if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) return std::nullopt;
  std::string text(
      std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), limits::password_file_bytes), '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return secret_text(std::move(text));
}

std::optional<secret_text> find_password(std::string_view file, const server_address& at,
                                         std::string_view database, std::string_view user) {
  const std::string host = at.is_unix() ? "localhost" : at.host;
  const std::string port = std::to_string(at.port);
  while (!file.empty()) {
    std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(line.size() + 1, file.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with('#')) continue;
    auto fields = fields_of(line);
    const auto fits = [](const std::string& field, std::string_view value) {
      return field == "*" || field == value;
    };
    if (fields.size() == 5 && fits(fields[0], host) && fits(fields[1], port) && fits(fields[2], database) &&
        fits(fields[3], user))
      return secret_text(std::move(fields[4]));
  }
  return std::nullopt;
}

}  // namespace trunkline::client
