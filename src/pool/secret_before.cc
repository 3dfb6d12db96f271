#include "pool/secret_before.h"

namespace trunkline::pool {

void tell_of(secret_before& which, telemetry::logger& log, std::string_view upstream, std::string_view user) {
  if (which.told.exchange(true)) return;
  log.write(telemetry::log_level::warning, "credentials",
            "the server refuses the new password and takes the one from before",
            {{"upstream", upstream}, {"user", user}});
}

}  // namespace trunkline::pool
