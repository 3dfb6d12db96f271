// How a deployment is made beside others: what it may take over, and from whom it has the rest. Reads files:
// never on a loop.
#pragma once

#include <memory>

#include "session/deployment.h"
#include "session/file_parts.h"

namespace trunkline::session {

/// What a deployment is made with, beside the settings.
struct deployment_means {
  std::shared_ptr<const tls::ticket_keys> tickets;
  file_parts* parts = nullptr;        ///< null: all files are read
  cluster_source clusters = nullptr;  ///< without it there is nothing to connect to
  identity::desk* tokens = nullptr;   ///< without it nobody checks tokens
  const deployment* older = nullptr;  ///< what is in force until then; may be null
  authority_source authorities = nullptr;
};

/// Errors as those of the other `build_deployment`.
result<std::shared_ptr<const deployment>> build_deployment(config::snapshot settings,
                                                           const deployment_means& means);

}  // namespace trunkline::session
