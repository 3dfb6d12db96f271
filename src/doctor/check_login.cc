// Does a login work, and what does the first session see of itself?
#include <fmt/format.h>

#include <charconv>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc()) return std::nullopt;
  return value;
}

/// Nobody said no.
void explain_silence(judgement& made, const failure& why, const facts& known) {
  if (why.text.starts_with("the login was begun") && why.what == failure::kind::timed_out) {
    made.where = "behind whoever listens at " + known.address;
    made.sure = confidence::likely;
    made.explanation =
        "Somebody asked for the password, took it, and no session follows: a pooler waits for a server that "
        "it "
        "cannot reach (PgBouncer: query_wait_timeout, 120 s), or the server stands still.";
    made.fix = "Look at the pooler's servers (SHOW SERVERS, its log). PgBouncer: query_wait_timeout = 15.";
    made.pathologies = {"P31"};
  } else if (why.text.starts_with("the TLS handshake") && why.what == failure::kind::timed_out) {
    made.sure = confidence::hint;
    made.explanation =
        "SSLRequest is answered, and the handshake does not come to its end. The certificates are the first "
        "large message of a connection: a path whose MTU is smaller than its ends believe loses it.";
    made.fix =
        "Where the check sizes fails with sslmode=disable: the CNI's MTU, iptables TCPMSS "
        "--clamp-mss-to-pmtu, "
        "net.ipv4.tcp_mtu_probing = 1.";
    made.pathologies = {"P49"};
  } else if (why.text.find("SCRAM-SHA-256-PLUS") != why.text.npos) {
    made.explanation = "This side ends the login, as libpq does; the check scram says who is at fault.";
    made.pathologies = {"P40"};
  }
}

judgement refused(const failure& why, const facts& known) {
  judgement made{.is = verdict::finding,
                 .summary = "nobody can log in: " + why.text,
                 .weight = severity::broken,
                 .where = "between this host and the server behind " + known.address};
  if (why.said && why.said->has_place) made.where = "the server (the error is PostgreSQL's own)";
  if (why.said && !why.said->has_place) {
    made.where = middle_of(known);
    made.evidence.push_back(
        "the error names no file and line, as PostgreSQL's own do: a proxy or pooler said it");
  }
  if (why.has_code("28000") && why.text.find("pg_hba.conf") != why.text.npos) {
    made.explanation =
        "No rule lets this client in. Behind a load balancer or a node's masquerade the server sees "
        "another address than the pod's, and other lines of pg_hba.conf apply.";
    made.fix =
        "pg_hba.conf: match by user and TLS (hostssl), not by address; or externalTrafficPolicy: Local.";
    made.pathologies = {"P35"};
  } else if (why.has_code("28000")) {
    made.explanation =
        "The server knows this client, and lets it in neither by this way to log in nor as this user.";
    made.fix =
        "What the rule in pg_hba.conf asks for (a client certificate: sslcert and sslkey), or another user.";
  } else if (why.has_code("53300")) {
    made.explanation = "All connection slots are taken, by clients or by ghosts of clients.";
    made.fix =
        "A pooler; max_connections; reserved_connections (PostgreSQL 16); tcp_keepalives_idle on the server.";
    made.pathologies = {"P56", "P11"};
  } else if (why.has_code("57P03")) {
    made.explanation = "The server starts, stops or recovers; a smart shutdown waits for its sessions.";
    made.fix =
        "Stop with mode fast (preStop: pg_ctl stop -m fast), with a grace period above a checkpoint's time.";
    made.pathologies = {"P33"};
  } else if (why.has_code("08P01") && why.said && !why.said->has_place) {
    made.explanation =
        "A pooler that could not log in to its server remembers that for a while and answers by "
        "itself (PgBouncer: server_login_retry, 15 s), also when the server is back.";
    made.fix = "PgBouncer: server_login_retry = 1, query_wait_timeout = 15.";
    made.pathologies = {"P31"};
  } else if (why.has_code("3D000")) {
    made.explanation = "The server that answered has no such database. It may be another one than was meant.";
    made.pathologies = {"P14"};
  } else if (!why.said) {
    explain_silence(made, why, known);
  }
  return made;
}

void note_addresses(facts& known, const answer& seen, session& one) {
  const auto text = [&](std::size_t column) { return std::string(seen.at(0, column)); };
  if (!text(1).empty()) known.client_seen_as = text(1) + ":" + text(2);
  if (!text(3).empty()) known.server_seen_as = text(3) + ":" + text(4);
  const auto self = net::socket_address::of_self(one.wire().socket());
  if (!self.is_unix() && self.family() != 0)
    known.client_is = self.host_text() + ":" + std::to_string(self.port());
}

/// What tells that the server's socket is not the client's. NAT does that too, and counts once.
void note_signals(facts& known, const examination& of) {
  const auto peer = of.target.host_text() + ":" + std::to_string(of.target.port());
  const bool moved = (!known.client_is.empty() && known.client_seen_as != known.client_is) ||
                     (!of.target.is_unix() && known.server_seen_as != peer);
  if (moved) known.between.emplace_back("addresses");
  if (known.key_pid && known.backend_pid && *known.key_pid != *known.backend_pid)
    known.between.emplace_back("key");
  if (known.server_leg_tls && *known.server_leg_tls != known.tls.has_value())
    known.between.emplace_back("tls");
}

runtime::task<void> learn(examination* of, session* one) {
  facts& known = of->known;
  auto seen =
      co_await session::query(one,
                              "select pg_backend_pid(), host(inet_client_addr()), inet_client_port(), "
                              "host(inet_server_addr()), inet_server_port(), pg_is_in_recovery(), "
                              "current_setting('is_superuser')");
  if (seen && !seen->error) {
    known.backend_pid = number(seen->at(0, 0));
    known.in_recovery = seen->at(0, 5) == "t";
    known.is_superuser = seen->at(0, 6) == "on";
    note_addresses(known, *seen, *one);
  }
  auto secured = co_await session::query(one, "select ssl from pg_stat_ssl where pid = pg_backend_pid()");
  if (secured && !secured->error && secured->row_count == 1) known.server_leg_tls = secured->at(0, 0) == "t";
  auto system = co_await session::query(one, "select system_identifier from pg_control_system()");
  if (system && !system->error) known.system_identifier = system->at(0, 0);
  note_signals(known, *of);
}

void note_session(examination& of, session& one) {
  facts& known = of.known;
  known.parameters = one.parameters();
  if (const auto at = known.parameters.find("server_version"); at != known.parameters.end())
    known.server_version = at->second;
  if (known.server_version.empty()) known.server_version = "unknown";
  if (one.has_key()) known.key_pid = one.key_pid();
  known.login_method = one.login_method();
  if (const auto* tls = one.wire().tls(); tls != nullptr) {
    const auto& engine = tls->session();
    known.tls = {std::string(engine.version()), std::string(engine.cipher()), std::string(engine.alpn())};
  }
}

std::vector<std::string> evidence_of(const facts& known) {
  std::vector<std::string> made;
  made.push_back("server_version " + known.server_version + ", login by " + known.login_method);
  if (known.tls) made.push_back(known.tls->version + " " + known.tls->cipher);
  if (!known.client_is.empty())
    made.push_back(fmt::format("this socket is {}, the server sees {}", known.client_is,
                               known.client_seen_as.empty() ? "no address" : known.client_seen_as));
  if (!known.address.empty() && !known.client_is.empty())
    made.push_back(fmt::format("connected to {}, the server calls itself {}", known.address,
                               known.server_seen_as.empty() ? "a unix socket" : known.server_seen_as));
  if (known.key_pid && known.backend_pid && *known.key_pid != *known.backend_pid)
    made.push_back(fmt::format("the cancel key names process {}, the session runs in {}", *known.key_pid,
                               *known.backend_pid));
  return made;
}

/// A pooler may not know a parameter of the login and refuse it.
bool refuses_parameter(const failure& why) {
  return why.said && why.text.find("statement_timeout") != why.text.npos;
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  bool without = false;
  if (!opened && refuses_parameter(opened.error())) {
    of->known.takes_timeout = false;
    without = true;
    opened = co_await session::open(&one);
  }
  if (!opened) {
    of->known.login_failure = opened.error().text;
    of->known.trunkline = opened.error().said && opened.error().said->by_trunkline;
    co_return judgements{refused(opened.error(), of->known)};
  }
  note_session(*of, one);
  co_await learn(of, &one);
  std::vector<std::string> evidence = evidence_of(of->known);
  judgements made;
  if (without) {
    of->known.between.emplace_back("errors");
    made.push_back(
        {.is = verdict::finding,
         .summary = "a parameter of the login is refused",
         .evidence = {"statement_timeout as a parameter of the login is refused; without it the login "
                      "works"},
         .weight = severity::risk,
         .where = middle_of(of->known),
         .explanation = "Drivers send settings with the login (statement_timeout, options, "
                        "extra_float_digits, search_path). This hop ends the login where it does not "
                        "know one.",
         .fix = "PgBouncer: ignore_startup_parameters = extra_float_digits,options,statement_timeout; or "
                "set it by ALTER ROLE ... SET.",
         .pathologies = {"P45"}});
  }
  made.push_back(
      fine(fmt::format("logged in to PostgreSQL {}", of->known.server_version), std::move(evidence)));
  co_return made;
}

}  // namespace

const check login_check{.id = "login", .title = "a login works", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
