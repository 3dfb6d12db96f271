// What is known of a session: for its log line at the end, and for the steps of its login. Owner: the
// session.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/socket_address.h"
#include "runtime/timer.h"
#include "session/deployment.h"
#include "telemetry/close_cause.h"

namespace trunkline::session {

struct session_facts {
  std::uint64_t id = 0;
  unsigned worker = 0;
  std::shared_ptr<const deployment> setup;
  std::size_t listener_index = 0;
  const config::route* route = nullptr;  ///< into `setup`; null before one was chosen

  std::string client;  ///< "10.0.0.7:51234", as the PROXY header says where there was one
  std::string user;
  std::string database;
  std::string application_name;
  std::string server_name;  ///< SNI
  std::string tls;          ///< "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: plaintext
  std::string endpoint;     ///< the server's address; empty before it was reached
  std::string server_tls;

  runtime::time_point started{};
  runtime::time_point last_bytes{};
  runtime::time_point bytes_before{};  ///< the time of the chunk before the last one
  std::uint64_t bytes_from_client = 0;
  std::uint64_t bytes_from_server = 0;
  bool logged_in = false;

  void note_bytes(runtime::time_point now) {
    bytes_before = last_bytes;
    last_bytes = now;
  }
  const config::listener& listener() const { return setup->settings->listeners[listener_index]; }
};

/// How a session ended, for the log.
struct session_end {
  telemetry::close_cause cause;
  std::string detail = {};  ///< in words, may be empty
  char transaction_status = '-';
  runtime::time_point idle_since{};
  int client_socket = -1;
  int server_socket = -1;
};

}  // namespace trunkline::session
