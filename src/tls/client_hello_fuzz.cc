// Any bytes: an outcome, and the same one for a hello whatever follows it; need_more is never a lie.
#include <cstdint>
#include <cstdlib>

#include "base/limits.h"
#include "tls/client_hello.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::tls;
  const trunkline::byte_span bytes(reinterpret_cast<const std::byte*>(data), size);
  const hello_outcome outcome = parse_client_hello(bytes);
  if (const auto* more = std::get_if<hello_need_more>(&outcome)) {
    if (more->bytes == 0 || size + more->bytes > trunkline::limits::client_hello_bytes) std::abort();
  }
  if (const auto* hello = std::get_if<client_hello>(&outcome)) {
    if (hello->bytes > size || hello->bytes > trunkline::limits::client_hello_bytes) std::abort();
    const hello_outcome again = parse_client_hello(bytes.first(hello->bytes));
    const auto* same = std::get_if<client_hello>(&again);
    if (same == nullptr || same->server_name != hello->server_name || same->alpn != hello->alpn) std::abort();
    if (!std::holds_alternative<hello_need_more>(parse_client_hello(bytes.first(hello->bytes - 1))))
      std::abort();
  }
  return 0;
}
