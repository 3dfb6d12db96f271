// What a watch needs to know of its upstream: one configuration's part of it. Immutable.
#pragma once

#include <memory>

#include "config/settings.h"
#include "net/socket.h"
#include "pool/endpoint_feed.h"
#include "tls/client_context.h"

namespace trunkline::pool {

struct watch_setup {
  config::snapshot settings;
  std::size_t index = 0;                           ///< into settings->upstreams
  std::shared_ptr<const tls::client_context> tls;  ///< null where the upstream disables it
  net::socket_options options = {};
  /// Who finds endpoints; null: nobody but the DNS. The same one as long as it looks for the same.
  std::shared_ptr<endpoint_feed> feed = {};

  const config::upstream& upstream() const { return settings->upstreams[index]; }
};

}  // namespace trunkline::pool
