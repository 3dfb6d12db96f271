// OAUTHBEARER (RFC 7628), the server's side as PostgreSQL 18 has it: one message of the client, and for one
// that cannot be let in the answer that tells it where to get a token. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::auth {

/// The token; empty where the client has none and asks where to get one. A view into `message`.
/// Error: source client, 08P01, never with a part of the message.
result<std::string_view> parse_oauthbearer(byte_span message);

/// The JSON of RFC 7628 section 3.2.2. `discovery`: the address of the issuer's discovery document.
std::string oauthbearer_failure(std::string_view scope, std::string_view discovery);

/// What the client answers to it: a single 0x01.
bool is_oauthbearer_acknowledgement(byte_span message);

}  // namespace trunkline::auth
