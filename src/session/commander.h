// What an operator may do to the upstreams of a running gateway: the console's commands. Every call may wait
// for sessions and servers, up to limits::command_wait beyond what is asked for; never on a worker's thread.
// Implemented by main.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace trunkline::session {

class commander {
 public:
  virtual ~commander() = default;

  // The answer is a sentence for the operator, or empty. `upstream` empty: all of them.

  /// New work waits; returns when what was under way is finished.
  virtual result<std::string> pause(const std::string& upstream) = 0;
  virtual result<std::string> resume(const std::string& upstream) = 0;
  /// Sessions end when they are idle; everything is asked anew.
  virtual result<std::string> reconnect(const std::string& upstream) = 0;
  /// Makes a replica the primary, without losing anything or an error for those who come meanwhile.
  virtual result<std::string> switch_over(const std::string& upstream, const std::string& endpoint,
                                          std::chrono::milliseconds within) = 0;
};

}  // namespace trunkline::session
