// Any bytes: reading never goes past them, a verdict on a prefix holds for the whole, and what was read is
// written and read back unchanged.
#include <cstdlib>
#include <vector>

#include "net/proxy_protocol.h"

namespace {

using namespace trunkline;
using namespace trunkline::net;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_span input{reinterpret_cast<const std::byte*>(data), size};
  const proxy_result whole = read_proxy_header(input);
  for (std::size_t cut = 0; cut < size && cut < 64; ++cut) {
    const std::vector<std::byte> copy(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(cut));
    const proxy_result part = read_proxy_header(copy);
    require(std::holds_alternative<proxy_need_more>(part) || part.index() == whole.index());
  }
  const auto* header = std::get_if<proxy_header>(&whole);
  if (header == nullptr) return 0;
  require(header->consumed <= size && header->consumed <= proxy_header_bytes_max);
  for (const auto append : {append_proxy_v1, append_proxy_v2}) {
    std::vector<std::byte> out;
    append(out, *header);
    const proxy_result back = read_proxy_header(out);
    require(std::holds_alternative<proxy_header>(back));
    require(std::get<proxy_header>(back).source == header->source);
    require(std::get<proxy_header>(back).destination == header->destination);
    require(std::get<proxy_header>(back).local == header->local);
  }
  return 0;
}
