// What an operator may do to the upstreams of a running gateway: the console's commands. Every call may wait
// for sessions and servers, up to limits::command_wait beyond what is asked for; never on a worker's thread.
// Implemented by main.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace trunkline::session {

class commander {
 public:
  virtual ~commander() = default;

  // The answer is a sentence for the operator, or empty. `upstream` empty: all of them.

  /// New work waits; returns when what was under way is finished.
  virtual result<std::string> pause(const std::string& upstream) = 0;
  /// Does not wait.
  virtual result<std::string> resume(const std::string& upstream) = 0;
  /// Sessions end when they are idle; everything is asked anew.
  virtual result<std::string> reconnect(const std::string& upstream) = 0;
  /// Makes a replica the primary, without losing anything or an error for those who come meanwhile.
  virtual result<std::string> switch_over(const std::string& upstream, const std::string& endpoint,
                                          std::chrono::milliseconds within) = 0;

  // Of a database, as clients ask for it.

  /// New sessions are refused, and let in again.
  virtual result<> disable(const std::string& database) = 0;
  virtual result<> enable(const std::string& database) = 0;
  /// Its sessions end now and new ones wait until RESUME. Empty: of all databases.
  virtual result<std::string> kill(const std::string& database) = 0;
  /// Returns when the sessions have ended that were there at the last RECONNECT. Empty: of all databases.
  virtual result<std::string> wait_close(const std::string& database) = 0;

  // Of the process.

  /// One session, by its number in SHOW SESSIONS.
  virtual result<> kill_client(std::uint64_t id) = 0;
  virtual result<> reload() = 0;
  virtual result<> set(const std::string& key, const std::string& value) = 0;
  enum class shutdown : std::uint8_t { now, wait_for_servers, wait_for_clients };
  virtual result<> shut_down(shutdown how) = 0;
};

}  // namespace trunkline::session
