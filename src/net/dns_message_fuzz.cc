// Any bytes: reading never goes past them, and what comes out is what its kind may be.
#include <cstdlib>
#include <vector>

#include "net/dns_message.h"

namespace {

using namespace trunkline;
using namespace trunkline::net;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const byte_span input{reinterpret_cast<const std::byte*>(data), size};
  const auto answer = read_dns_answer(input);
  if (!answer) return 0;
  require(answer->ttl >= std::chrono::seconds(0) && answer->ttl <= dns_forever);
  require(answer->addresses.empty() || answer->services.empty());
  for (const auto& each : answer->addresses)
    require(each.family() == AF_INET || each.family() == AF_INET6);
  for (const auto& each : answer->services)
    require(!each.host.empty() && each.host.find_first_of("\n\r ") == std::string::npos);
  return 0;
}
