// A small HTTP client for what the gateway asks of others: an issuer's keys, a Kubernetes API server, a
// collector of spans, a webhook; and of a gateway by its command line. One request at a time, with a
// deadline, an answer of bounded size, TLS that is always verified, and no redirects: an address is where the
// operator said. It blocks: never on a worker's loop. Owner: one thread at a time; `end_at` is for any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::http {

struct request {
  std::string url;                        ///< http:// or https://
  std::vector<std::string> headers = {};  ///< "Name: value"
  secret_text bearer = {};                ///< of an Authorization header; empty: none
  const std::string* body = nullptr;      ///< null: GET; else POST
  std::chrono::milliseconds timeout{0};
  std::size_t answer_bytes = 0;  ///< a longer one is an error
  std::string unix_socket = {};  ///< a path: the connection goes there, whatever host `url` names
};

struct answer {
  long status = 0;  ///< of HTTP
  std::string body = {};
  std::chrono::seconds retry_after{0};  ///< as the answer asks for; 0: it does not
};

class client {
 public:
  /// Who vouches for servers behind https; empty: the system's authorities. The connection is kept for the
  /// next request.
  explicit client(std::string ca_file = {});
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  ~client();

  /// An error: there was no answer, and why, without the request's secrets.
  result<answer> send(const request& what);
  /// A request under way ends at that time, and later ones too. Any thread.
  void end_at(std::chrono::steady_clock::time_point when) {
    last_moment_.store(when.time_since_epoch().count(), std::memory_order_relaxed);
  }

 private:
  class transfer;

  const std::string ca_file_;
  std::unique_ptr<transfer> transfer_;
  std::atomic<std::chrono::steady_clock::rep> last_moment_{
      std::chrono::steady_clock::time_point::max().time_since_epoch().count()};
};

}  // namespace trunkline::http
