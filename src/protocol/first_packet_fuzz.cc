// A whole negotiation from any bytes: packet after packet as a gateway would read them, each judged at every
// prefix. A verdict never changes, and a start-up packet that was found is decoded.
#include <cstdlib>
#include <vector>

#include "protocol/first_packet.h"
#include "protocol/startup_message.h"

namespace {

using namespace trunkline;
using namespace trunkline::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

std::size_t consumed_by(const first_packet_result& result) {
  return std::visit(
      [](const auto& packet) -> std::size_t {
        if constexpr (requires { packet.consumed; }) {
          return packet.consumed;
        } else {
          return 0;
        }
      },
      result);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  byte_span rest{reinterpret_cast<const std::byte*>(data), size};
  for (int round = 0; round < limits::negotiation_rounds; ++round) {
    const first_packet_result whole = classify_first_packet(rest);
    for (std::size_t cut = 0; cut < rest.size() && cut < 32; ++cut) {
      const std::vector<std::byte> copy(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(cut));
      const first_packet_result part = classify_first_packet(copy);
      require(std::holds_alternative<need_more>(part) || part.index() == whole.index());
    }
    if (const auto* packet = std::get_if<startup_message_packet>(&whole)) {
      require(packet->packet.size() == packet->consumed && packet->consumed <= first_packet_bytes_max);
      (void)decode_startup_message(packet->packet);
    }
    if (const auto* request = std::get_if<cancel_request>(&whole)) {
      require(request->key.size() >= limits::cancel_key_bytes_min);
      require(request->key.size() <= limits::cancel_key_bytes_max);
    }
    const std::size_t consumed = consumed_by(whole);
    if (consumed == 0) return 0;
    require(consumed <= rest.size());
    rest = rest.subspan(consumed);
  }
  return 0;
}
