#include "config/scram_table.h"

#include <algorithm>

namespace trunkline::config {

scram_road scram_road_of(const listener& from, const upstream& to) {
  if (from.tls.mode == listener_tls_mode::passthrough) return scram_road::end_to_end;
  const bool client_tls = from.tls.mode != listener_tls_mode::disable;
  const bool server_tls = std::any_of(to.endpoints.begin(), to.endpoints.end(),
                                      [&](const address& at) { return to.uses_tls(at); });
  if (!client_tls) return server_tls ? scram_road::client_leg_plain : scram_road::both_plain;
  if (!server_tls) return scram_road::server_leg_plain;
  return to.tls.same_certificate ? scram_road::same_certificate : scram_road::cannot_work;
}

}  // namespace trunkline::config
