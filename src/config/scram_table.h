// Which combinations of legs can carry a client's SCRAM login to the server unopened (auth: server). Channel
// binding hashes the certificate of the TLS peer, so TLS on both legs works only with one certificate (RFC
// 5929, RFC 7677; the table in docs/configuration.md). Pure; any thread.
#pragma once

#include <string>

#include "config/settings.h"

namespace trunkline::config {

enum class scram_road {
  end_to_end,        ///< passthrough
  same_certificate,  ///< TLS on both legs, and the operator says that the certificate is one
  server_leg_plain,  ///< the server offers no -PLUS; it accepts the client's flag `y`
  client_leg_plain,  ///< -PLUS is taken from the server's list; flag `n`
  both_plain,
  cannot_work,  ///< TLS on both legs with different certificates
};

/// For the clients of `from` that use TLS where it is offered: mode `allow` counts as TLS, and so does
/// `prefer` on the server leg, since what may happen must work.
scram_road scram_road_of(const listener& from, const upstream& to);

}  // namespace trunkline::config
