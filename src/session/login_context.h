// What the steps of one login share. Owner: `login`; one loop thread.
#pragma once

#include <array>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/channel.h"
#include "pool/search.h"
#include "pool/server_login.h"
#include "protocol/frame.h"
#include "protocol/startup_message.h"
#include "runtime/task.h"
#include "session/admission.h"
#include "session/audit_gate.h"
#include "session/cancel_registry.h"
#include "session/facts.h"
#include "session/services.h"
#include "sql/lexical_rules.h"
#include "telemetry/route_metrics.h"

namespace trunkline::session {

class pooled_server;
class cancel_taker;

/// The login is over and there will be no session.
struct login_end {
  telemetry::close_cause cause;
  std::string detail = {};
  std::optional<error> tell = {};  ///< for the client, where a sentence fits into its stream
  bool silent = false;             ///< no log line: a served CancelRequest, a port scan
  bool moved = false;              ///< its route leads elsewhere since a reload: begin with the route again
  bool try_another = false;        ///< only this server will not do, and the client has heard nothing of it
};

template <class T = void>
using step = std::expected<T, login_end>;

/// Both legs are ready; bytes may flow.
struct established {
  established();
  established(established&&) noexcept;
  established& operator=(established&&) noexcept;
  ~established();

  std::unique_ptr<pooled_server> pooled;  ///< the server leg of a pooled session; null: it is not one
  bool opaque = false;                    ///< passthrough: the bytes cannot be read
  bool console = false;                   ///< there is no server leg: the gateway itself answers
  cancel_registry::ticket cancel;
};

/// A login that is not yet finished counts twice: for the listener, and for where it comes from.
struct half_open_places {
  admission::place of_listener = {};
  admission::place of_source = {};
};

struct login_context {
  login_context(runtime::loop& where, services& with, session_facts& of)
      : loop(&where),
        shared(&with),
        facts(&of),
        changed(where),
        client(where, changed),
        server(where, changed) {}

  runtime::loop* loop;
  services* shared;
  session_facts* facts;
  audit_gate* gate = nullptr;     ///< null: no audit
  cancel_taker* taker = nullptr;  ///< the session, for the cancel requests of a pooled one
  runtime::signal changed;
  net::channel client;
  net::channel server;

  net::socket_address client_address;  ///< as the PROXY header says, where there was one
  net::proxy_header proxied;           ///< as far as it is known: see header_for_server
  const tls::tls_stream* client_tls = nullptr;
  bool opaque = false;            ///< passthrough was chosen: nothing may be said to the client
  bool ssl_request_seen = false;  ///< the client was answered S; a server must be asked too
  std::array<runtime::duration, telemetry::login_phase_count> times{};  ///< by telemetry::login_phase

  std::vector<std::byte> startup_packet;
  protocol::startup_message startup;  ///< views into `startup_packet`
  /// A newer configuration under which the session's route leads to other servers.
  std::shared_ptr<const deployment> newer;
  bool moved = false;  ///< there is one
  half_open_places half_open;
  bool version_told = false;         ///< NegotiateProtocolVersion is sent, or not needed
  bool authentication_told = false;  ///< the client has its AuthenticationOk already
  /// AuthenticationSASLFinal, which goes out with what follows it: one packet and one wake-up fewer.
  std::vector<std::byte> owed;
  runtime::time_point patient_until{};      ///< the login has not taken too long before
  sql::lexical_rules rules = {};            ///< as the server says that the client's texts are read
  std::optional<access::decision> decided;  ///< what the policies say; nothing: they were not asked
  session_places places;
  std::optional<pool::server_secret> proved;  ///< what the client has proved, where the gateway asked it
  std::optional<pool::search> search;         ///< for the session's server
  pool::server_connection connection;
  pool::link_shelf* pool_shelf = nullptr;  ///< of its route's pool; null: it has none
  pool::login_line::turn turn;             ///< at the server; given back when it has let the session in
  /// The body of the server's NegotiateProtocolVersion, where it sent one.
  std::optional<std::vector<std::byte>> negotiated;

  /// It waits for a person now: that takes as long as it takes, and no place from those who log in.
  void begin_patience() {
    patient_until = runtime::time_point::max();
    half_open = {};
  }
  /// It goes on, with as much time as a login that begins.
  void end_patience() { patient_until = loop->now() + listener().login_timeout; }

  const config::settings& settings() const { return *facts->setup->settings; }
  const config::listener& listener() const { return facts->listener(); }
  const config::upstream& upstream() const { return settings().upstreams[facts->route->upstream_index]; }
  const tls::client_context* upstream_tls() const {
    return facts->setup->upstream_tls[facts->route->upstream_index].get();
  }
  pool::cluster& cluster() const { return *facts->setup->clusters[facts->route->upstream_index]; }
  pool::interest interest() const { return {&cluster(), facts->lease.on()->id}; }
  pool::key_deriver deriver() const { return {.where = loop, .work = &shared->work, .cache = &shared->keys}; }
  bool client_version_is_long() const;
  runtime::duration& time(telemetry::login_phase which) { return times[static_cast<std::size_t>(which)]; }
};

/// One whole message from the channel, left there: consume `frame::size` when done with the view. A channel
/// that ends or sends nonsense ends the login, with `who` to blame.
runtime::task<step<protocol::frame>> read_message(net::channel* from, error_source who);

login_end client_ended(const net::channel& client);
login_end server_ended(const net::channel& server);
login_end violation_by(error_source who, error why);
/// The gateway refuses: `login_failed` with the error's SQLSTATE, and the error told.
login_end refused(error why);
/// 53300: one more than may be under way; only a cancel request would have been served.
error too_many_logins();
/// The end of such a login, and its line in the log: it never was a session.
login_end turned_away(const login_context& context);
/// One more than may be: "on listener ...".
login_end over_limit(const std::string& what);
/// The client is who it says: it counts for `limits.maxSessionsPerPrincipal` of its route from now on.
step<> take_principal_place(login_context& context);

/// What every connection to the route's upstream begins with; the PROXY header names the client.
pool::search_request search_request_of(const login_context& context);

/// Connects the session to a server of the route's upstream, or to the next one where this has been called
/// before.
runtime::task<step<>> reach_server(login_context* context);

/// NegotiateProtocolVersion, where the client asks for more than the gateway speaks: first of all, as
/// PostgreSQL sends it. For logins in which no server has a say.
void negotiate_version(login_context& context);
/// Up to AuthenticationOk, what is owed included; and NegotiateProtocolVersion, where that is still to be
/// told.
void append_authenticated(const login_context& context, std::vector<std::byte>& out);

/// A password may go as cleartext: TLS, a leg that stays on this machine, or the operator says so.
bool may_send_cleartext(const login_context& context, const pool::server_connection& to);

login_end login_end_of(const net::channel& client, pool::connect_failure why);
/// An unexpected end, a violation, a refusal: as the server's.
login_end login_end_of(pool::login_failure why);

}  // namespace trunkline::session
