// Many HTTP exchanges on one thread: answers are handed on as they come in, so that one without an end, such
// as a watch of the Kubernetes API, needs no thread of its own. TLS is always verified, by HTTP/1.1, without
// redirects. Owner: one thread, on which listeners are called too; `wake` is for any.
#pragma once

#include <chrono>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::http {

/// PEM, as it is at the beginning of the exchange.
struct tls_identity {
  std::string authorities = {};  ///< who vouch for the server; empty: the system's
  std::string certificate = {};  ///< that the server is shown; empty: none
  secret_text key = {};
};

struct exchange_request {
  std::string url;  ///< http:// or https://
  std::string method = "GET";
  std::string body = {};                  ///< its type is among `headers`; empty: none
  std::vector<std::string> headers = {};  ///< "Name: value"
  secret_text bearer = {};                ///< of an Authorization header; empty: none
  tls_identity tls = {};
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds timeout{0};  ///< of all of it
};

/// How an exchange ended.
struct exchange_end {
  long status = 0;      ///< of HTTP; 0: there was no answer
  std::string failure;  ///< empty: the answer is whole
  std::chrono::seconds retry_after{0};
  std::time_t date = 0;  ///< the other side's clock, to the second; 0: it does not say
};

class exchange_listener {
 public:
  virtual ~exchange_listener() = default;
  /// A part of the answer's body; first an empty one, when its headers are there. False: the rest is not
  /// wanted. It must not begin or drop an exchange.
  virtual bool take(long status, std::string_view bytes) = 0;
  /// The last word of it. Here anything goes.
  virtual void ended(const exchange_end& how) = 0;
};

class exchanges {
 public:
  exchanges();
  exchanges(const exchanges&) = delete;
  exchanges& operator=(const exchanges&) = delete;
  ~exchanges();

  class exchange;  // gives up what is under way when it is dropped, without a word
  struct closer {
    void operator()(exchange* which) const;
  };
  using handle = std::unique_ptr<exchange, closer>;

  /// `told` outlives the handle, and the handle what began it not. Null: libcurl cannot be used.
  handle begin(exchange_request what, exchange_listener& told);
  /// Goes on with all of them; waits for something to do, but no longer than this.
  void turn(std::chrono::milliseconds at_most);
  /// A turn that waits ends.
  void wake();

 private:
  struct multi;
  std::unique_ptr<multi> multi_;
};

}  // namespace trunkline::http
