// Reads a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) out of raw bytes without doing TLS,
// for routing by SNI in `passthrough`. Pure; looks at no more than limits::client_hello_bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"

namespace trunkline::tls {

struct hello_need_more {
  std::size_t bytes;  ///< at least so many further bytes are needed; at least 1
};

struct hello_bad {
  std::string_view reason;  ///< static text
};

struct client_hello {
  std::string server_name;        ///< SNI host_name in lower case; empty: none was sent
  std::vector<std::string> alpn;  ///< in the client's order; empty: none offered
  std::size_t bytes;              ///< length of the records that hold it
};

using hello_outcome = std::variant<hello_need_more, hello_bad, client_hello>;

/// `bytes` start at the first TLS record of a connection. Asking again with more of the same bytes is how to
/// go on.
hello_outcome parse_client_hello(byte_span bytes);

}  // namespace trunkline::tls
