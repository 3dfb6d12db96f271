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

/// How long each stage of a login took.
struct login_times {
  microseconds connect{0};  ///< TCP
  microseconds tls{0};      ///< SSLRequest and the handshake
  microseconds first{0};    ///< from StartupMessage to the first answer
  microseconds auth{0};     ///< from there to AuthenticationOk, without this process's own work
  microseconds ready{0};    ///< from there to ReadyForQuery
};

/// Logins that were made at once.
struct login_crowd {
  std::size_t size = 0;
  login_times median;
};

/// One message of the sizes ladder, or one silence of the idle ladder.
struct sized_trip {
  std::size_t bytes = 0;
  microseconds down{0};
  microseconds up{0};
};
struct silence_tried {
  std::chrono::seconds length{0};
  std::string_view kind;
  microseconds lived{0};
  bool survived = false;
};

/// A round trip and when it began, from the first one on.
struct timed_trip {
  microseconds at{0};
  microseconds took{0};
};

/// What was measured, for the drawings.
struct series {
  std::vector<login_crowd> logins;
  std::vector<microseconds> queries;
  std::vector<sized_trip> sizes;
  std::vector<silence_tried> silences;
  std::vector<timed_trip> steady;  ///< many queries after each other
};

/// Our own session as a trunkline on the path sees it.
struct gateway_session {
  std::string route;
  std::string upstream;
  std::string client;                       ///< whose address it sees
  std::string client_is;                    ///< of this socket
  std::string tls;                          ///< of the client's leg; empty: plaintext
  std::string local;                        ///< its own address towards the server
  std::string seen_as;                      ///< whom the server sees; empty: not known
  std::string endpoint;                     ///< the server's address
  std::string server_tls;                   ///< of the server's leg; empty: plaintext
  std::string pooling;                      ///< empty: the server connection is the session's own
  std::optional<microseconds> client_trip;  ///< as TCP measures it
  std::optional<microseconds> server_trip;
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
  bool trunkline = false;                  ///< an error that a trunkline wrote has come
  std::optional<gateway_session> gateway;  ///< the trunkline on the path was asked, and knows us
  std::vector<std::string> hints;          ///< worth knowing, and no finding
  series measured;

  int major() const;  ///< of server_version; 0: not known
};

std::string_view name_of(pooling which);

/// Two independent signals agree, or whoever stands there told.
inline bool is_proxied(const facts& known) {
  return known.between.size() >= 2 || known.trunkline || known.gateway;
}

/// "the proxy or pooler at db:6432" where that is known, else "between this host and the server".
std::string middle_of(const facts& known);

}  // namespace trunkline::doctor
