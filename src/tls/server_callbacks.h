// What OpenSSL asks the server role during a handshake. Private to this room.
#pragma once

#include <memory>
#include <vector>

#include "tls/openssl.h"
#include "tls/server_context.h"
#include "tls/server_names.h"

namespace trunkline::tls {

/// Shared by a context and its engines; constant once built.
struct server_context::state {
  std::vector<ssl_context_ptr> contexts;  ///< one for each certificate; all alike but for it
  server_names names;                     ///< entries are indices into `contexts`
  std::shared_ptr<const ticket_keys> tickets;
};

/// `state` must outlive the context.
void install_server_callbacks(SSL_CTX& context, server_context::state& state);

}  // namespace trunkline::tls
