#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/checks.h"

namespace trunkline::config {

namespace {

constexpr std::size_t label_bytes = 63;
constexpr std::size_t subdomain_bytes = 253;

bool is_label_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/// As names of objects are (RFC 1123): they become a part of a path, and of a selector.
bool is_object_name(std::string_view text, std::size_t most, bool with_dots) {
  const auto ends_well = [](char c) { return c != '-' && c != '.'; };
  return !text.empty() && text.size() <= most && ends_well(text.front()) && ends_well(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_label_character(c) || (with_dots && c == '.'); });
}

void check_name(const check_input& in, const std::string& key, const std::string& text, bool with_dots) {
  if (text.empty() || is_object_name(text, with_dots ? subdomain_bytes : label_bytes, with_dots)) return;
  in.problem(key, quote(text) + " is no name of an object",
             fmt::format("small letters, digits{} and '-', at most {}", with_dots ? ", '.'" : "",
                         with_dots ? subdomain_bytes : label_bytes));
}

void check_port(const check_input& in, const std::string& key, const std::string& port) {
  unsigned number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_number = read.ec != std::errc::invalid_argument && read.ptr == port.data() + port.size();
  const bool good = is_number ? read.ec == std::errc() && number >= 1 && number <= 65'535
                              : is_object_name(port, label_bytes, false);
  if (!port.empty() && !good)
    in.problem(key, quote(port) + " is no port", "a number from 1 to 65535, or a port's name");
}

bool is_verified(const upstream& one) {
  return one.tls.mode == upstream_tls_mode::verify_ca || one.tls.mode == upstream_tls_mode::verify_full;
}

}  // namespace

void check_kubernetes_discovery(const check_input& in, const upstream& one, const std::string& key) {
  const kubernetes_discovery& said = one.found.in_kubernetes;
  const bool cluster = said.run_by != kubernetes_operator::none;
  if (cluster && !said.service.empty()) in.problem(key, "has both service and cluster", "one of them");
  if (!cluster && said.service.empty())
    in.problem(key, "does not say whose endpoints", "service, or cluster");
  check_name(in, key + ".namespace", said.name_space, false);
  check_name(in, key + ".service", said.service, false);
  check_name(in, key + ".cluster.name", said.cluster, false);
  check_name(in, key + ".caSecret.name", said.ca_secret, true);
  check_port(in, key + ".port", said.port);
  if (said.ca_secret.empty()) return;
  if (!one.tls.ca_file.empty())
    in.problem(key + ".caSecret", "says who signs certificates, and so does tls.caFile", "one of them");
  if (!is_verified(one))
    in.problem(key + ".caSecret",
               fmt::format("is not used with tls.mode {}: the server's certificate is not checked",
                           name_of(upstream_tls_modes, one.tls.mode)),
               "mode: verify-ca or verify-full");
}

void check_kubernetes_access(const check_input& in) {
  const kubernetes_access& said = in.value.kubernetes;
  if (!in.state.sound("kubernetes")) return;
  const bool direct = !said.api_server.empty() || !said.token_file.empty() || !said.ca_file.empty();
  if (!said.kubeconfig_file.empty() && direct)
    in.problem("kubernetes", "has a kubeconfig beside what it would hold",
               "kubeconfigFile, or apiServer, tokenFile and caFile");
  if (said.kubeconfig_file.empty() && !said.context.empty())
    in.problem("kubernetes.context", "is of no kubeconfig", "kubeconfigFile beside it");
  if (said.api_server.starts_with("http://") && !is_loopback_url(said.api_server))
    in.problem("kubernetes.apiServer", "would be told the gateway's token in clear", "an https:// address");
}

}  // namespace trunkline::config
