// What both roles set on an OpenSSL context. Private to this room.
#pragma once

#include "base/result.h"
#include "tls/openssl.h"
#include "tls/server_context.h"

namespace trunkline::tls {

/// Versions, ciphers, groups, and buffers that are given back when a session is idle.
result<> apply_common_settings(SSL_CTX& context, protocol_version min_version);

/// "\x0apostgresql": ALPN's list form of the one protocol that we speak (RFC 7301 section 3.1).
std::string_view alpn_wire_list();

}  // namespace trunkline::tls
