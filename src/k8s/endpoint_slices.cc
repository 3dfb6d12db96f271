#include "k8s/endpoint_slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace trunkline::k8s {

namespace {

constexpr std::array port_names{"postgres", "postgresql", "pg"};
constexpr std::uint16_t usual_port = 5432;

std::optional<std::uint16_t> port_of(const json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<std::int64_t>();
  if (number < 1 || number > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint16_t made = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), made);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return made;
}

bool is_postgres(const json& port) {
  const std::string name = text_of(port, "name");
  return std::find(port_names.begin(), port_names.end(), name) != port_names.end() ||
         port_of(field_of(port, "port")) == usual_port;
}

/// The one that is wanted among a slice's; nothing where it has none.
std::optional<std::uint16_t> choose_port(const json& ports, const std::string& wanted) {
  const auto number = port_of(std::string_view(wanted));
  // A headless service may have no ports: then its endpoints' are whatever one knows them to be.
  if (!ports.is_array() || ports.empty()) return wanted.empty() ? usual_port : number;
  std::vector<json> fit;
  for (const json& each : ports) {
    const std::string protocol = text_of(each, "protocol");
    if (!protocol.empty() && protocol != "TCP") continue;
    const bool named = number ? port_of(field_of(each, "port")) == number : text_of(each, "name") == wanted;
    if (wanted.empty() || named) fit.push_back(each);
  }
  if (wanted.empty() && fit.size() > 1)
    std::erase_if(fit, [](const json& each) { return !is_postgres(each); });
  return fit.empty() ? std::nullopt : port_of(field_of(fit.front(), "port"));
}

/// Absent conditions mean what the API says they do: ready, serving as ready, not terminating.
pool::found_endpoint with_conditions(const json& from, net::socket_address address, std::uint16_t port) {
  const json& conditions = field_of(from, "conditions");
  const bool ready = flag_of(conditions, "ready", true);
  return {.address = address,
          .port = port,
          .zone = text_of(from, "zone"),
          .ready = flag_of(conditions, "serving", ready),
          .leaving = flag_of(conditions, "terminating", false)};
}

/// The better of two that say something of one endpoint comes first.
int rank_of(const pool::found_endpoint& one) {
  return (one.leaving ? 2 : 0) + (one.ready ? 0 : 1);
}

}  // namespace

/// Of an operator's cluster all services that lead to servers, whatever their role: which of them a server
/// stands behind changes with its role, which the gateway asks the server itself.
std::vector<std::string> services_of(const config::kubernetes_discovery& what) {
  using config::kubernetes_operator;
  const std::string& name = what.cluster;
  switch (what.run_by) {
    case kubernetes_operator::cloudnative_pg:
      return {name + "-r", name + "-rw", name + "-ro"};
    case kubernetes_operator::zalando:
      return {name, name + "-repl"};
    case kubernetes_operator::crunchy:
      // NAME-primary leads to another service's address, and NAME-pods to whatever belongs to the cluster.
      return {name + "-ha", name + "-replicas"};
    case kubernetes_operator::none:
      break;
  }
  return {what.service};
}

std::string selector_of(std::vector<std::string> services) {
  std::sort(services.begin(), services.end());
  services.erase(std::unique(services.begin(), services.end()), services.end());
  if (services.size() == 1) return fmt::format("{}={}", service_label, services.front());
  return fmt::format("{} in ({})", service_label, fmt::join(services, ","));
}

std::string server_name_of(const config::kubernetes_discovery& what) {
  if (!what.server_name.empty()) return what.server_name;
  const std::string rest = "." + what.name_space + ".svc";
  using config::kubernetes_operator;
  switch (what.run_by) {
    case kubernetes_operator::cloudnative_pg:
      return what.cluster + "-rw" + rest;
    case kubernetes_operator::crunchy:
      return what.cluster + "-primary" + rest;
    case kubernetes_operator::zalando:
      return what.cluster + rest;
    case kubernetes_operator::none:
      break;
  }
  return what.service + rest;
}

endpoint_slices::slice endpoint_slices::read(const json& from) const {
  slice made;
  const std::string family = text_of(from, "addressType");
  if (family != "IPv4" && family != "IPv6") return made;
  const auto port = choose_port(field_of(from, "ports"), what_.port);
  const json& endpoints = field_of(from, "endpoints");
  if (!endpoints.is_array()) return made;
  if (!port) {
    if (!endpoints.empty())
      made.problem = fmt::format("EndpointSlice {}: has no port {}", name_of(from),
                                 what_.port.empty() ? "that is PostgreSQL's; say which" : what_.port);
    return made;
  }
  for (const json& each : endpoints) {
    const json& addresses = field_of(each, "addresses");
    // All of an endpoint's addresses are the same to whoever uses it: the first will do.
    if (!addresses.is_array() || addresses.empty() || !addresses.front().is_string()) continue;
    const auto address = net::socket_address::ip(addresses.front().get_ref<const std::string&>(), *port);
    if (address) made.endpoints.push_back({address->text(), with_conditions(each, *address, *port)});
  }
  return made;
}

void endpoint_slices::put(const json& object) {
  slices_.insert_or_assign(name_of(object), read(object));
}

void endpoint_slices::remove(const json& object) {
  if (const auto known = slices_.find(name_of(object)); known != slices_.end()) slices_.erase(known);
}

std::string endpoint_slices::problem() const {
  std::string first;
  for (const auto& [name, each] : slices_) {
    if (!each.endpoints.empty()) return "";
    if (first.empty()) first = each.problem;
  }
  return first;
}

pool::found_endpoints endpoint_slices::found() const {
  pool::found_endpoints made{.server_name = server_name_of(what_), .endpoints = {}};
  std::vector<const known_endpoint*> all;
  for (const auto& [name, each] : slices_) {
    for (const known_endpoint& one : each.endpoints)
      all.push_back(&one);
  }
  std::sort(all.begin(), all.end(), [](const auto* a, const auto* b) {
    const int order = a->name.compare(b->name);
    return order != 0 ? order < 0 : rank_of(a->what) < rank_of(b->what);
  });
  made.endpoints.reserve(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i == 0 || all[i]->name != all[i - 1]->name) made.endpoints.push_back(all[i]->what);
  }
  const bool some_stay = std::any_of(made.endpoints.begin(), made.endpoints.end(),
                                     [](const auto& each) { return each.ready && !each.leaving; });
  if (!some_stay) {
    for (auto& each : made.endpoints)
      each.leaving = each.leaving && !each.ready;
  }
  return made;
}

}  // namespace trunkline::k8s
