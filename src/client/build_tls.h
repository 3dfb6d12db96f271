// The TLS that a DSN asks for. Blocking: it reads the files that the DSN names. Any thread.
#pragma once

#include <memory>

#include "base/result.h"
#include "client/conninfo.h"
#include "tls/client_context.h"

namespace trunkline::client {

/// Null: sslmode is disable. Errors are for a human.
result<std::shared_ptr<const tls::client_context>> build_tls(const conninfo& dsn);

}  // namespace trunkline::client
