// What is likely behind the end of a session, in a sentence for whoever is on call at night: who ended it,
// after what silence, and which device is known to do so (docs/close-causes.md). Pure; any thread.
#pragma once

#include <chrono>
#include <string>

#include "telemetry/close_cause.h"

namespace trunkline::telemetry {

/// What is known of the end of a session whose end nobody asked for.
struct death {
  close_cause cause;
  /// How long that leg had been silent, in both directions, before the last thing that was tried on it.
  std::chrono::milliseconds idle{0};
  /// Something was sent on it after that silence, and the end came as the answer: the other side, or a device
  /// between, no longer knew the connection.
  bool found_on_write = false;
  char transaction_status = '-';
  bool busy = false;  ///< an answer was outstanding
};

/// The server's or the client's connection ended without either having said that it would.
bool is_unasked(cause which);
/// Empty where there is nothing to say beyond the cause itself.
std::string explain(const death& what);

}  // namespace trunkline::telemetry
