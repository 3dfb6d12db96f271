#include <fmt/format.h>

#include "config/checks.h"

namespace trunkline::config {

namespace {

bool terminates_tls(listener_tls_mode mode) {
  return mode == listener_tls_mode::allow || mode == listener_tls_mode::require;
}

void check_certificates(const check_input& in, const listener& one, const std::string& tls) {
  const auto mode = name_of(listener_tls_modes, one.tls.mode);
  const bool none = one.tls.certificates.empty() && in.state.sound(tls + ".certificates");
  if (terminates_tls(one.tls.mode) && none) {
    in.problem(tls + ".certificates", fmt::format("is missing, and mode {} needs one", mode),
               "certificates: [{certFile: …, keyFile: …}], or mode: disable, or mode: passthrough");
  }
  if (!terminates_tls(one.tls.mode) && !one.tls.certificates.empty()) {
    in.warn(tls + ".certificates", fmt::format("has no effect with mode {}", mode), "allow or require");
  }
}

void check_client_certificates(const check_input& in, const listener& one, const std::string& tls) {
  const auto mode = name_of(listener_tls_modes, one.tls.mode);
  const auto wanted = one.tls.client_certificates;
  const auto key = tls + ".clientCertificate";
  if (wanted == client_certificate::none) {
    if (!in.state.sound(key)) return;
    if (!one.tls.client_ca_file.empty()) {
      in.warn(tls + ".clientCaFile", "has no effect with clientCertificate none",
              "clientCertificate: request or require");
    }
    return;
  }
  if (!terminates_tls(one.tls.mode)) {
    in.problem(key, fmt::format("cannot be asked for with mode {}", mode), "mode: require");
    return;
  }
  if (one.tls.client_ca_file.empty()) {
    in.problem(key, "needs clientCaFile, to know whose certificates count", "clientCaFile beside it");
  }
  if (wanted == client_certificate::require && one.tls.mode == listener_tls_mode::allow) {
    in.problem(key, "require means nothing while mode allow lets clients in without TLS", "mode: require");
  }
}

void check_unix_listener(const check_input& in, const listener& one, const std::string& key) {
  if (one.tls.mode != listener_tls_mode::disable) {
    in.problem(key + ".tls.mode", "clients do not use TLS on a unix socket", "disable, or the key left out");
  }
  if (one.speaks_proxy_protocol()) {
    in.problem(key + ".proxyProtocol", "a unix socket has no source address to trust", "to be left out");
  }
}

bool is_wildcard(const address& at) {
  return at.host == "0.0.0.0" || at.host == "::";
}

void check_overlap(const check_input& in, std::size_t index) {
  const auto& mine = in.value.listeners[index].address;
  for (std::size_t other = 0; other < index; ++other) {
    const auto& theirs = in.value.listeners[other].address;
    if ((theirs.host.empty() && theirs.path.empty()) || !same_place(mine, theirs)) continue;
    in.problem(fmt::format("listeners[{}].address", index),
               fmt::format("{} overlaps with listeners[{}], {}", mine.text(), other, theirs.text()),
               "addresses that differ");
  }
}

}  // namespace

bool same_place(const address& a, const address& b) {
  if (a.is_unix() || b.is_unix()) return a.path == b.path;
  if (a.port != b.port || a.port == 0) return false;
  const auto left = ip_address::parse(a.host);
  const auto right = ip_address::parse(b.host);
  if (!left || !right || left->v6 != right->v6) return false;
  return *left == *right || is_wildcard(a) || is_wildcard(b);
}

void check_listeners(const check_input& in) {
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    const auto& one = in.value.listeners[i];
    const auto key = fmt::format("listeners[{}]", i);
    if (!in.state.sound(key + ".address") || (one.address.host.empty() && one.address.path.empty())) continue;
    check_overlap(in, i);
    if (!in.state.sound(key + ".tls.mode")) continue;
    if (one.address.is_unix()) {
      check_unix_listener(in, one, key);
      continue;
    }
    check_certificates(in, one, key + ".tls");
    check_client_certificates(in, one, key + ".tls");
  }
}

}  // namespace trunkline::config
