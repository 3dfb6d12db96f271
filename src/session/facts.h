// What is known of a session: for its log line at the end, and for the steps of its login. Owner: the
// session.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "auth/identity.h"
#include "base/shared_text.h"
#include "identity/access_case.h"
#include "net/socket.h"
#include "net/socket_address.h"
#include "pool/member.h"
#include "runtime/timer.h"
#include "session/deployment.h"
#include "session/grant_hold.h"
#include "telemetry/close_cause.h"
#include "telemetry/exchange.h"

namespace trunkline::session {

/// What most sessions have nothing of: read as if it were there, and made when something is noted in it.
template <class T>
class rare_facts {
 public:
  const T* operator->() const {
    static const T none;
    return kept_ == nullptr ? &none : kept_.get();
  }
  T& edit() {
    if (kept_ == nullptr) kept_ = std::make_unique<T>();
    return *kept_;
  }

 private:
  std::unique_ptr<T> kept_;
};

struct tls_facts {
  shared_text version;                   ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  std::shared_ptr<const deployment> of;  ///< whose TLS the client has, where the session follows another now
  shared_text server_name;               ///< SNI
  shared_text client_certificate;        ///< its subject; empty: none
  shared_text server;                    ///< the server leg's version and cipher suite
};

/// What lets a session in, beside a user's password, and for how long.
struct access_facts {
  std::shared_ptr<const auth::identity> who;  ///< null: it is not known yet, or the user is all that is known
  const access::policy* policy = nullptr;     ///< of the session's `setup`, or RBAC; null: neither was asked
  runtime::time_point until = runtime::time_point::max();  ///< it ends then
  std::unique_ptr<grant_hold> grant;                       ///< null: nobody had to approve
  std::unique_ptr<identity::access_hold> rbac;             ///< null: RBAC is not asked
};

struct session_facts {
  std::uint64_t id = 0;
  unsigned worker = 0;
  std::uint32_t server_pid = 0;  ///< the server's process for this session; 0: not known
  std::shared_ptr<const deployment> setup;
  const config::route* route = nullptr;  ///< into `setup`; null before one was chosen
  pool::lease lease;                     ///< on the server that it is on

  rare_facts<access_facts> access;
  rare_facts<tls_facts> tls;

  std::string client;  ///< "10.0.0.7:51234", as the PROXY header says where there was one
  shared_text user;
  shared_text database;
  shared_text application_name;
  shared_text endpoint;  ///< the server's address; empty before it was reached

  runtime::time_point started{};
  runtime::time_point bytes_before{};  ///< the time of the chunk before the last one
  runtime::time_point last_from_client{};
  runtime::time_point last_from_server{};
  runtime::time_point first_to_server{};  ///< the first chunk since the server was heard last
  runtime::time_point first_to_client{};  ///< the first chunk since the client was heard last
  std::uint64_t bytes_from_client = 0;
  std::uint64_t bytes_from_server = 0;
  std::uint32_t listener_index = 0;
  config::route_target target = config::route_target::primary;  ///< the route's, or the client's wish
  bool logged_in = false;
  bool audited = false;        ///< as it was when the session began
  bool announced = false;      ///< its session.start is in the audit
  bool opaque = false;         ///< passthrough: its bytes cannot be read
  bool replication = false;    ///< a walsender's session
  bool told_to_drain = false;  ///< it ends as soon as it rests
  bool only_cancel = false;    ///< too many logins are under way: only a cancel request is served
  bool passed_on = false;      ///< a cancel request, from the process that took over from this one
  shared_text server_user;     ///< who the gateway's login at the server was for; empty: not logged in

  void note_client_bytes(runtime::time_point now) {
    bytes_before = last_bytes();
    if (last_from_client <= last_from_server) first_to_server = now;
    last_from_client = now;
  }
  void note_server_bytes(runtime::time_point now) {
    bytes_before = last_bytes();
    if (last_from_server <= last_from_client) first_to_client = now;
    last_from_server = now;
  }
  /// Whom policies, limits and audit take the client for.
  std::string_view principal() const {
    return access->who != nullptr ? std::string_view(access->who->principal) : user.str();
  }
  /// Neither side has said anything since.
  runtime::time_point last_bytes() const { return std::max(last_from_client, last_from_server); }
  const config::listener& listener() const { return setup->settings->listeners[listener_index]; }
};

/// How a session ended, for the log.
struct session_end {
  telemetry::close_cause cause;
  std::string detail = {};  ///< in words, may be empty
  char transaction_status = '-';
  runtime::time_point idle_since{};
  std::optional<net::tcp_facts> client_tcp = {};  ///< nothing: a unix socket, or gone
  std::optional<net::tcp_facts> server_tcp = {};
  std::uint64_t exchanges = 0;
  const telemetry::exchange_facts* slowest = nullptr;  ///< where one was slow
  std::string likely = {};                             ///< what is likely behind it, for a human
};

}  // namespace trunkline::session
