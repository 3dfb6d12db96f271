// Which of the replicas a gateway is where the configuration says `auto` (docs/cancel.md). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::main {

/// 1 to 1023: one more than the ordinal at the end of a host's name ("gateway-3"), otherwise from the name
/// and `address`, always the same one.
std::uint16_t replica_number_of(std::string_view host, std::string_view address);

/// HOSTNAME, which a pod has as its name; otherwise what the system says.
std::string own_host_name();

}  // namespace trunkline::main
