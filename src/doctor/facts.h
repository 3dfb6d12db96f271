// What has been learned of a path so far: each check may add, later ones read. Plain values; one owner, the
// examination.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::doctor {

using microseconds = std::chrono::microseconds;

/// Who ends a session's statements: one server connection for its life, or another one for each transaction.
enum class pooling : std::uint8_t { unknown, none, session, transaction, statement };

/// How somebody answers the first packet of a conversation.
struct negotiation_facts {
  std::optional<char> ssl_answer;     ///< to SSLRequest; nothing: it was closed, reset, or silent
  std::optional<char> gssenc_answer;  ///< to GSSENCRequest
  bool direct_tls = false;            ///< a ClientHello as first bytes is answered with a handshake
  bool direct_alpn = false;           ///< and ALPN `postgresql` is selected
};

struct tls_facts {
  std::string version;
  std::string cipher;
  std::string alpn;
};

struct facts {
  std::string address;                   ///< that was reached: "10.0.0.7:5432"
  std::optional<microseconds> look_up;   ///< the host's name, median
  std::optional<microseconds> syn;       ///< TCP's round trip, the least of several
  std::optional<microseconds> ssl_trip;  ///< SSLRequest and its answer, the least of several
  negotiation_facts negotiation;
  std::optional<tls_facts> tls;  ///< as the DSN's sslmode got it
  std::string login_method;
  std::optional<std::string> login_failure;  ///< why nobody could log in
  std::string died;                          ///< in which check, and how: no later one is tried

  // Of the first session.
  std::map<std::string, std::string> parameters;  ///< ParameterStatus
  std::string server_version;
  bool takes_timeout = true;             ///< statement_timeout as a parameter of the login
  std::optional<std::uint32_t> key_pid;  ///< of BackendKeyData
  std::optional<std::uint32_t> backend_pid;
  std::string client_seen_as;  ///< inet_client_addr():port
  std::string client_is;       ///< getsockname()
  std::string server_seen_as;  ///< inet_server_addr():port
  std::optional<bool> server_leg_tls;
  std::optional<bool> in_recovery;
  std::string system_identifier;           ///< of pg_control_system()
  std::optional<microseconds> query_trip;  ///< SELECT 1, the least of several
  std::optional<bool> is_superuser;
  std::map<std::string, std::string> settings;  ///< what SHOW tells, by name
  std::optional<std::uint32_t> sessions;        ///< rows of pg_stat_activity that are clients

  pooling mode = pooling::unknown;
  /// Signals that somebody stands between, each of another kind: "the key names another process".
  std::vector<std::string> between;

  int major() const;  ///< of server_version; 0: not known
};

std::string_view name_of(pooling which);

/// Two independent signals agree, or the traffic itself told.
inline bool is_proxied(const facts& known) {
  return known.between.size() >= 2;
}

/// "the proxy or pooler at db:6432" where that is known, else "between this host and the server".
std::string middle_of(const facts& known);

}  // namespace trunkline::doctor
