// Decodes any bytes as a StartupMessage; what was decoded is encoded to the very same bytes.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "protocol/startup_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline;
  using namespace trunkline::protocol;
  // The length word and the version are rarely guessed: put them in front.
  byte_buffer packet(8);
  store_u32(packet.data(), static_cast<std::uint32_t>(8 + size));
  store_u32(packet.data() + 4, 0x0003'0000);
  packet.insert(packet.end(), reinterpret_cast<const std::byte*>(data),
                reinterpret_cast<const std::byte*>(data) + size);
  (void)decode_startup_message({reinterpret_cast<const std::byte*>(data), size});
  const auto message = decode_startup_message(packet);
  if (!message) return 0;
  byte_buffer again;
  append_startup_message(again, message->version, message->parameters);
  if (again != packet || message->user.empty()) std::abort();
  return 0;
}
