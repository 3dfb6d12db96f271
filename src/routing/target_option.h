// A client's own wish for a kind of server, as a start-up option that any driver can send and any server
// takes (PostgreSQL accepts settings of unknown prefixes): `trunkline.target=replica` as a parameter of the
// start-up packet, or `-c trunkline.target=replica` in `options`. Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "config/settings.h"
#include "protocol/startup_message.h"

namespace trunkline::routing {

/// The route's target, narrowed to the client's wish where it has one. A route to replicas keeps its clients
/// off the primary, whatever they wish. Errors (22023, 28000) are for the client.
result<config::route_target> target_of(const config::route& route, const protocol::startup_message& startup);

/// The last value of a setting in the text of `options`, as PostgreSQL reads it: `-c name=value`,
/// `-cname=value` or `--name=value`, a backslash before a blank that belongs to it; a '-' in a name there is
/// a
/// '_'.
std::optional<std::string> find_option(std::string_view options, std::string_view name);

}  // namespace trunkline::routing
