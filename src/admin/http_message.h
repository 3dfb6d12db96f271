// The little of HTTP/1.1 that a server needs which shows much and changes little (RFC 9110, RFC 9112): a
// request is read from bytes, an answer becomes bytes. Only requests for access may have a body. Strict where
// lenience has hurt others: CR LF only, no folded lines, no control bytes, one Host. No I/O; value types; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/redacted.h"

namespace trunkline::admin {

struct http_request {
  std::string method;
  std::string path;                                        ///< percent-decoded; begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  ///< decoded, in order
  std::optional<std::string> host;                         ///< as sent, with the port
  std::string accept;
  secret_text bearer = {};  ///< of `Authorization: Bearer`; empty: none
  std::string body = {};    ///< of a POST

  bool is_head() const { return method == "HEAD"; }
};

struct http_response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  /// Besides what every answer has.
  std::vector<std::pair<std::string, std::string>> fields = {};
};

/// What has arrived so far: `more` is needed, a `request` is here, or it is `bad` and `refusal` is the
/// answer.
struct http_reading {
  enum class state { more, request, bad };
  state what = state::more;
  http_request request;
  http_response refusal;
};

/// `bytes` is everything since the connection was made. More than `limits::admin_request_bytes` are too many.
http_reading read_request(byte_span bytes);

/// The whole answer; the body is left out where HEAD was asked. Tells the client that the connection ends
/// with it.
std::string render_response(const http_response& response, bool head_only);

/// An error as JSON: {"error":{"status":404,"message":"..."}}
http_response error_response(int status, std::string_view message);

/// Whether the client would rather have `application/openmetrics-text` than plain text.
bool prefers_openmetrics(std::string_view accept);

}  // namespace trunkline::admin
