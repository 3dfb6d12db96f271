// Settings whose Secrets nobody has looked up (load_options::secret), for whoever wants to know whether the
// rest can work: `trunkline check`.
#pragma once

#include "config/settings.h"

namespace trunkline::config {

/// The same, where what a Secret would hold is left out: verifiers, passwords, authorities, certificates.
settings without_secrets(settings value);

}  // namespace trunkline::config
