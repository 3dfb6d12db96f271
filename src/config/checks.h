// The checks across keys: names, references, combinations that cannot work, routes that nobody reaches.
// Each looks only at parts that were read without problem, so that one mistake is reported once.
#pragma once

#include "config/section.h"

namespace trunkline::config {

struct check_input {
  load_state& state;
  const node& root;
  const settings& value;

  void problem(const std::string& key, std::string text, std::string expected) const {
    state.problem(locate(root, key), key, std::move(text), std::move(expected));
  }
  void warn(const std::string& key, std::string text, std::string expected) const {
    state.warning(locate(root, key), key, std::move(text), std::move(expected));
  }
};

/// Also sets route::upstream_index.
void check_settings(load_state& state, const node& root, settings& value);

void check_listeners(const check_input& in);
void check_admin(const check_input& in);
void check_audit(const check_input& in);
void check_upstreams(const check_input& in);
/// `key`: of the mapping that `tls` was read from. `ca_elsewhere`: something else says who must have signed.
void check_server_tls(const check_input& in, const upstream_tls& tls, const std::string& key,
                      bool ca_elsewhere = false);
/// `key`: of the mapping `authorization`.
void check_rbac_object(const check_input& in, const std::string& key, const rbac_object& one);
/// `key`: of the mapping `discovery.kubernetes`.
void check_kubernetes_discovery(const check_input& in, const upstream& one, const std::string& key);
/// The section `kubernetes`.
void check_kubernetes_access(const check_input& in);
void check_replicas(const check_input& in);
void check_route(const check_input& in, std::size_t index);
/// `listeners`: that the route may serve, by index.
void check_identity(const check_input& in, std::size_t index, const std::vector<std::size_t>& listeners);
/// What `admin.jwt` says.
void check_admin_tokens(const check_input& in);
/// Not too many of them.
void check_issuers(const check_input& in);
/// Whether access policies can work, and warnings of those that nobody reaches.
void check_access(const check_input& in);
/// Routes that the console hides, and those who could never log in to it.
void check_console(const check_input& in);
/// Routes that an earlier one hides, listeners that no route serves.
void check_reach(const check_input& in);

/// Whether every client that may reach `to` does so through a passthrough listener, so that `to.tls` is never
/// used. `by_file_alone`: as far as the file's own routes go.
bool tls_passes_through(const settings& value, const upstream& to, bool by_file_alone = false);

/// http:// to this very machine: what is said there cannot be changed on the way.
bool is_loopback_url(std::string_view url);

/// Whether both cannot be listened on at once.
bool same_place(const address& a, const address& b);

/// Whether a client of `from` could fit `match`, as far as the listener alone decides.
bool may_come_from(const route_match& match, const listener& from);

}  // namespace trunkline::config
