// listen_addr, unix_socket_dir and client_tls_* become listeners.
#include <fmt/format.h>

#include <algorithm>

#include "config/values.h"
#include "pgbouncer/conversion_state.h"

namespace trunkline::pgbouncer {

namespace {

void add(conversion_state& state, std::string_view name, config::address at) {
  const bool there = std::any_of(state.listeners.begin(), state.listeners.end(),
                                 [&](const listener_plan& each) { return each.address == at; });
  if (!there) state.listeners.push_back({.name = state.new_name(name), .address = std::move(at)});
}

void add_tcp(conversion_state& state, const std::string& host, std::uint16_t port) {
  add(state, "tcp", {.host = host, .port = port});
}

/// Our `[::]` takes both families.
void add_everywhere(conversion_state& state, std::uint16_t port) {
  add_tcp(state, state.here.has_ipv6 ? "::" : "0.0.0.0", port);
}

void add_addresses(conversion_state& state, std::uint16_t port) {
  const auto parts = split_list(state.globals().text("listen_addr"));
  const bool has_six = std::find(parts.begin(), parts.end(), "::") != parts.end();
  for (const auto& each : parts) {
    if (each == "*") {
      add_everywhere(state, port);
    } else if (each == "0.0.0.0" && has_six) {
      continue;
    } else if (each == "localhost") {
      add_tcp(state, "127.0.0.1", port);
      if (state.here.has_ipv6) add_tcp(state, "::1", port);
    } else {
      const bool six = each.find(':') != std::string::npos;
      const auto at = config::parse_listen_address(six ? fmt::format("[{}]:{}", each, port)
                                                       : fmt::format("{}:{}", each, port));
      if (at) {
        add_tcp(state, at->host, port);
      } else {
        state.problem(state.globals(), "listen_addr", fmt::format("`{}` is no address", each),
                      "an IP address, localhost or *");
      }
    }
  }
}

void add_socket(conversion_state& state, std::uint16_t port) {
  const std::string folder = state.globals().text("unix_socket_dir");
  if (folder.empty()) return;
  if (folder.front() == '@') {
    state.tell(fate::no_equal, state.globals(), "unix_socket_dir",
               "there are no listeners in the abstract namespace: name a folder");
    return;
  }
  add(state, "unix", {.path = fmt::format("{}/.s.PGSQL.{}", state.absolute(folder), port)});
}

void write_client_tls(conversion_state& state, const listener_plan& one) {
  const given_values& globals = state.globals();
  const auto mode = state.word(globals, "client_tls_sslmode",
                               {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
  yaml_writer& out = state.out;
  out.open("tls");
  if (mode == "disable" || one.address.is_unix()) {
    out.plain("mode", "disable");
    out.close();
    return;
  }
  const bool verifies = mode.starts_with("verify");
  out.plain("mode", verifies || mode == "require" ? "require" : "allow");
  out.open("certificates");
  out.open_item();
  out.text("certFile", state.absolute(globals.text("client_tls_cert_file")));
  out.text("keyFile", state.absolute(globals.text("client_tls_key_file")));
  out.close();
  out.close();
  if (verifies) {
    out.text("clientCaFile", state.absolute(globals.text("client_tls_ca_file")));
    out.plain("clientCertificate", "require");
  }
  const auto protocols = split_list(globals.text("client_tls_protocols"));
  if (protocols == std::vector<std::string>{"tlsv1.3"}) out.text("minVersion", "1.3");
  out.close();
}

void check_client_tls(conversion_state& state) {
  const given_values& globals = state.globals();
  const auto mode = globals.text("client_tls_sslmode");
  if (mode == "disable") return;
  for (const std::string_view key : {"client_tls_cert_file", "client_tls_key_file"}) {
    if (globals.text(key).empty())
      state.problem(globals, key, "is needed with client_tls_sslmode = " + mode, "a PEM file");
  }
  if (mode.starts_with("verify") && globals.text("client_tls_ca_file").empty())
    state.problem(globals, "client_tls_ca_file", "is needed with client_tls_sslmode = " + mode, "a PEM file");
  for (const auto& each : split_list(globals.text("client_tls_protocols"))) {
    if (each != "secure" && each != "tlsv1.2" && each != "tlsv1.3")
      state.tell(fate::no_equal, globals, "client_tls_protocols", "TLS before 1.2 is not spoken");
  }
}

void write_listener(conversion_state& state, const listener_plan& one) {
  const given_values& globals = state.globals();
  state.out.open_item();
  state.out.text("name", one.name);
  state.out.text("address", one.address.text());
  write_client_tls(state, one);
  state.out.plain("maxSessions",
                  std::to_string(state.bounded(globals, "max_client_conn", "listeners[].maxSessions",
                                               globals.number("max_client_conn"))));
  auto patience = globals.seconds("client_login_timeout");
  if (patience.count() == 0) patience = std::chrono::hours(1'000);  // for ever; bounded below
  state.out.plain("loginTimeout",
                  state.duration(globals, "client_login_timeout", "listeners[].loginTimeout", patience));
  state.out.close();
}

}  // namespace

void convert_listeners(conversion_state& state) {
  const auto port = state.globals().number("listen_port");
  if (port < 1 || port > 65'535)
    return state.problem(state.globals(), "listen_port", "is no port", "a number from 1 to 65535");
  add_addresses(state, static_cast<std::uint16_t>(port));
  add_socket(state, static_cast<std::uint16_t>(port));
  if (state.listeners.empty())
    return state.problem(state.globals(), "listen_addr", "nothing is listened to",
                         "listen_addr or unix_socket_dir");
  check_client_tls(state);
  state.out.open("listeners");
  for (const auto& each : state.listeners)
    write_listener(state, each);
  state.out.close();
}

}  // namespace trunkline::pgbouncer
