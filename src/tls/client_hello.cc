#include "tls/client_hello.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "tls/server_names.h"

namespace trunkline::tls {
namespace {

constexpr std::size_t record_header = 5;              // type 1, version 2, length 2
constexpr std::size_t handshake_header = 4;           // type 1, length 3
constexpr std::size_t record_length_max = 16 * 1024;  // RFC 8446 section 5.1: plaintext records
constexpr std::byte type_handshake{22};
constexpr std::byte type_client_hello{1};
constexpr std::uint16_t extension_server_name = 0;
constexpr std::uint16_t extension_alpn = 16;

/// Takes fields off the front of a message; once one did not fit, `good` stays false and everything is empty.
class reader {
 public:
  explicit reader(byte_span bytes) : bytes_(bytes) {}
  bool good() const { return good_; }
  bool empty() const { return bytes_.empty(); }

  byte_span take(std::size_t count) {
    if (count > bytes_.size()) {
      good_ = false;
      bytes_ = {};
      return {};
    }
    const byte_span taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  std::size_t number(std::size_t width) {
    std::size_t value = 0;
    for (const std::byte b : take(width))
      value = (value << 8) | std::to_integer<std::size_t>(b);
    return value;
  }
  /// A vector of TLS: its length in `width` bytes, then so many bytes.
  byte_span vector(std::size_t width) { return take(number(width)); }

 private:
  byte_span bytes_;
  bool good_ = true;
};

/// RFC 6066 section 3: at most one name of each type; only host_name (0) was ever defined.
bool read_server_name(byte_span data, client_hello& hello) {
  reader extension(data);
  reader list(extension.vector(2));
  if (!extension.good() || !extension.empty() || list.empty()) return false;
  while (!list.empty()) {
    const std::size_t type = list.number(1);
    const byte_span name = list.vector(2);
    if (!list.good()) return false;
    if (type != 0) continue;
    if (name.empty() || name.size() > 255 || !hello.server_name.empty()) return false;
    if (std::find(name.begin(), name.end(), std::byte{0}) != name.end()) return false;
    hello.server_name = normal_name(as_text(name));
  }
  return true;
}

/// RFC 7301 section 3.1.
bool read_alpn(byte_span data, client_hello& hello) {
  reader extension(data);
  reader list(extension.vector(2));
  if (!extension.good() || !extension.empty() || list.empty()) return false;
  while (!list.empty()) {
    const byte_span name = list.vector(1);
    if (!list.good() || name.empty()) return false;
    hello.alpn.emplace_back(as_text(name));
  }
  return true;
}

bool read_extensions(byte_span data, client_hello& hello) {
  reader extensions(data);
  bool had_name = false;
  bool had_alpn = false;
  while (!extensions.empty()) {
    const std::size_t type = extensions.number(2);
    const byte_span content = extensions.vector(2);
    if (!extensions.good()) return false;
    if (type == extension_server_name && (std::exchange(had_name, true) || !read_server_name(content, hello)))
      return false;
    if (type == extension_alpn && (std::exchange(had_alpn, true) || !read_alpn(content, hello))) return false;
  }
  return true;
}

/// RFC 8446 section 4.1.2; the same shape since TLS 1.0.
hello_outcome read_message(byte_span message, std::size_t bytes_of_records) {
  client_hello hello;
  hello.bytes = bytes_of_records;
  reader body(message);
  const std::size_t version = body.number(2);
  body.take(32);                                  // random
  const byte_span session = body.vector(1);       // legacy_session_id
  const byte_span suites = body.vector(2);        // cipher_suites
  const byte_span compressions = body.vector(1);  // legacy_compression_methods
  if (!body.good() || version < 0x0300 || session.size() > 32) return hello_bad{"malformed ClientHello"};
  if (suites.empty() || suites.size() % 2 != 0 || compressions.empty())
    return hello_bad{"malformed ClientHello"};
  if (body.empty()) return hello;  // a hello without extensions, from before TLS 1.2
  const byte_span extensions = body.vector(2);
  if (!body.good() || !body.empty()) return hello_bad{"malformed ClientHello"};
  if (!read_extensions(extensions, hello)) return hello_bad{"malformed ClientHello extension"};
  return hello;
}

}  // namespace

hello_outcome parse_client_hello(byte_span bytes) {
  std::vector<std::byte> joined;  // only where the message spans several records
  byte_span message;
  std::size_t at = 0;
  std::optional<std::size_t> wanted;  // length of the handshake message with its header
  while (!wanted || message.size() < *wanted) {
    const byte_span rest = bytes.subspan(at);
    if (!rest.empty() && rest[0] != type_handshake) return hello_bad{"not a TLS handshake record"};
    if (rest.size() > 1 && rest[1] != std::byte{3}) return hello_bad{"not a TLS version that we know"};
    if (at + record_header > limits::client_hello_bytes) return hello_bad{"a ClientHello above the limit"};
    if (rest.size() < record_header) return hello_need_more{record_header - rest.size()};
    const std::size_t length = load_u16(rest.data() + 3);
    if (length == 0 || length > record_length_max) return hello_bad{"a TLS record of impossible length"};
    if (at + record_header + length > limits::client_hello_bytes)
      return hello_bad{"a ClientHello above the limit"};
    const byte_span part = rest.subspan(record_header, std::min(length, rest.size() - record_header));
    // What is there is looked at before the record is whole: a peer that is not TLS is told so at once.
    if (message.empty() && !part.empty() && part[0] != type_client_hello)
      return hello_bad{"not a ClientHello"};
    if (part.size() < length) return hello_need_more{length - part.size()};
    if (message.empty()) {
      message = part;
    } else {
      if (joined.empty()) joined.assign(message.begin(), message.end());
      joined.insert(joined.end(), part.begin(), part.end());
      message = joined;
    }
    at += record_header + length;
    if (!wanted && message.size() >= handshake_header) {
      wanted = handshake_header + (load_u32(message.data()) & 0xff'ffff);
      if (*wanted > limits::client_hello_bytes) return hello_bad{"a ClientHello above the limit"};
    }
  }
  if (message.size() > *wanted) return hello_bad{"bytes behind the ClientHello in its record"};
  return read_message(message.subspan(handshake_header), at);
}

}  // namespace trunkline::tls
