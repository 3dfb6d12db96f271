#include "admin/http_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace trunkline::admin {
namespace {

constexpr std::string_view line_end = "\r\n";

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Internal Server Error";
  }
}

http_reading bad(int status, std::string_view message) {
  return {.what = http_reading::state::bad, .request = {}, .refusal = error_response(status, message)};
}

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos) return false;
  }
  return true;
}

std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return made;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// The first part up to `at`, which is taken off together with the `at`.
std::string_view take_until(std::string_view& rest, std::string_view at) {
  const auto end = rest.find(at);
  const auto part = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + at.size());
  return part;
}

/// Nothing where an escape is broken or stands for NUL.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      made += ' ';
    } else if (text[i] != '%') {
      made += text[i];
    } else {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* const begin = text.data() + i + 1;
      const auto done = std::from_chars(begin, begin + 2, value, 16);
      if (done.ec != std::errc{} || done.ptr != begin + 2 || value == 0) return std::nullopt;
      made += static_cast<char>(value);
      i += 2;
    }
  }
  return made;
}

bool read_target(std::string_view target, http_request& into) {
  auto rest = target;
  const auto path = percent_decoded(take_until(rest, "?"), false);
  if (!path || !path->starts_with('/')) return false;
  into.path = *path;
  while (!rest.empty()) {
    auto value = take_until(rest, "&");
    if (value.empty()) continue;
    const auto name = percent_decoded(take_until(value, "="), true);
    const auto decoded = percent_decoded(value, true);
    if (!name || !decoded) return false;
    into.query.emplace_back(*name, *decoded);
  }
  return true;
}

/// What is changed here at all.
bool may_post(std::string_view path) {
  return path.starts_with("/api/v1/access/");
}

/// False: it is no number, or there were two.
bool read_length(std::string_view value, std::optional<std::size_t>& length) {
  std::size_t number = 0;
  const auto done = std::from_chars(value.data(), value.data() + value.size(), number);
  if (length || done.ec != std::errc{} || done.ptr != value.data() + value.size()) return false;
  length = number;
  return true;
}

/// The scheme is case-insensitive (RFC 9110, 11.1). False: a second one.
bool read_authorization(std::string_view value, http_request& into) {
  if (!into.bearer.empty()) return false;
  if (lower(take_until(value, " ")) == "bearer") into.bearer = secret_text(std::string(trimmed(value)));
  return true;
}

/// 0, or the status of the refusal.
int read_field(std::string_view line, http_request& into, std::optional<std::size_t>& length) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400;
  const auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (name == "host") {
    if (into.host) return 400;
    into.host = std::string(value);
  } else if (name == "accept") {
    if (!into.accept.empty()) into.accept += ',';
    into.accept += value;
  } else if (name == "authorization") {
    if (!read_authorization(value, into)) return 400;
  } else if (name == "transfer-encoding") {
    return 413;
  } else if (name == "content-length") {
    if (!read_length(value, length)) return 400;
    if (*length != 0 && into.method != "POST") return 413;
  }
  return 0;
}

/// The head of a request; `length` is of the body behind it.
http_reading read_head(std::string_view head, std::optional<std::size_t>& length) {
  http_reading made;
  auto first = take_until(head, line_end);
  made.request.method = take_until(first, " ");
  const auto target = take_until(first, " ");
  if (!is_token(made.request.method) || !first.starts_with("HTTP/")) return bad(400, "not a request of HTTP");
  if (first != "HTTP/1.1" && first != "HTTP/1.0") return bad(505, "HTTP/1.1 is spoken here");
  if (!read_target(target, made.request)) return bad(400, "the address of the request cannot be read");
  for (std::size_t count = 0; !head.empty(); ++count) {
    if (count == limits::admin_request_fields) return bad(431, "too many header fields");
    const int status = read_field(take_until(head, line_end), made.request, length);
    if (status == 413) return bad(status, "a request has no body here");
    if (status != 0) return bad(status, "a header field cannot be read");
  }
  if (first == "HTTP/1.1" && !made.request.host) return bad(400, "the Host field is missing");
  const bool posts = made.request.method == "POST" && may_post(made.request.path);
  if (posts && !length) return bad(411, "the Content-Length field is missing");
  if (!posts && made.request.method != "GET" && made.request.method != "HEAD") {
    auto refused = bad(405, "only GET and HEAD: nothing can be changed here");
    refused.refusal.fields.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  made.what = http_reading::state::request;
  return made;
}

/// "text/plain;version=0.0.4;q=0.5": name and quality.
std::pair<std::string, double> media_range(std::string_view text) {
  const auto name = lower(trimmed(take_until(text, ";")));
  double quality = 1;
  while (!text.empty()) {
    auto value = take_until(text, ";");
    if (lower(trimmed(take_until(value, "="))) != "q") continue;
    value = trimmed(value);
    if (std::from_chars(value.data(), value.data() + value.size(), quality).ec != std::errc{}) quality = 0;
  }
  return {name, quality};
}

http_reading read_whole(std::string_view head, std::string_view behind) {
  std::optional<std::size_t> length;
  auto made = read_head(head, length);
  if (made.what != http_reading::state::request || made.request.method != "POST") return made;
  if (*length > limits::admin_request_bytes - head.size() - 4) return bad(413, "the request is too long");
  if (behind.size() < *length) return {};
  made.request.body = behind.substr(0, *length);
  return made;
}

}  // namespace

http_reading read_request(byte_span bytes) {
  const auto text = as_text(bytes.first(std::min(bytes.size(), limits::admin_request_bytes)));
  const auto end = text.find("\r\n\r\n");
  const auto seen = text.substr(0, end);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const auto byte = static_cast<unsigned char>(seen[i]);
    // A CR may be followed by what has not yet arrived.
    const bool line_feed = byte == '\n' && i > 0 && seen[i - 1] == '\r';
    const bool carriage_return = byte == '\r' && (i + 1 >= seen.size() || seen[i + 1] == '\n');
    if ((byte < 0x20 && byte != '\t' && !line_feed && !carriage_return) || byte == 0x7f)
      return bad(400, "not a request of HTTP");
  }
  if (end != std::string_view::npos) return read_whole(text.substr(0, end), text.substr(end + 4));
  if (bytes.size() >= limits::admin_request_bytes) return bad(431, "the request is too long");
  return {};
}

std::string render_response(const http_response& response, bool head_only) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.status,
                  reason_of(response.status), response.content_type, response.body.size());
  for (const auto& [name, value] : response.fields)
    out += fmt::format("{}: {}\r\n", name, value);
  out +=
      "Cache-Control: no-store\r\n"
      "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
      "Cross-Origin-Resource-Policy: same-origin\r\n"
      "Referrer-Policy: no-referrer\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "X-Frame-Options: DENY\r\n"
      "Connection: close\r\n\r\n";
  if (!head_only) out += response.body;
  return out;
}

http_response error_response(int status, std::string_view message) {
  const nlohmann::json body{{"error", {{"status", status}, {"message", message}}}};
  return {.status = status,
          .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

bool prefers_openmetrics(std::string_view accept) {
  double openmetrics = 0;
  double text = 0;
  while (!accept.empty()) {
    const auto [name, quality] = media_range(take_until(accept, ","));
    if (name == "application/openmetrics-text") openmetrics = std::max(openmetrics, quality);
    if (name == "text/plain") text = std::max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text;
}

}  // namespace trunkline::admin
