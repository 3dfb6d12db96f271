// Two trackers see the same conversation, one in whole pieces and one in small ones: they agree throughout.
// Each piece of the input: a byte with the direction (lowest bit) and the size (the rest), then so many
// bytes.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "protocol/session_tracker.h"

namespace {

using namespace trunkline;
using namespace trunkline::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

walk_result feed(session_tracker& tracker, bool client, byte_span bytes) {
  const std::vector<std::byte> copy(bytes.begin(), bytes.end());
  return client ? tracker.client_bytes(copy) : tracker.server_bytes(copy);
}

walk_result feed_in_pieces(session_tracker& tracker, bool client, byte_span bytes, std::size_t piece) {
  walk_result result = feed(tracker, client, {});
  while (!bytes.empty() && result == walk_result::ok) {
    const std::size_t size = std::min(piece, bytes.size());
    result = feed(tracker, client, bytes.first(size));
    bytes = bytes.subspan(size);
  }
  return result;
}

void require_equal(const session_tracker& left, const session_tracker& right) {
  require(left.busy() == right.busy() && left.idle() == right.idle() && left.status() == right.status());
  require(left.terminate_seen() == right.terminate_seen() && left.fatal_sqlstate() == right.fatal_sqlstate());
  for (const direction way : {direction::client_to_server, direction::server_to_client}) {
    require(left.at_message_boundary(way) == right.at_message_boundary(way));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 16;
  byte_span rest{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  session_tracker whole;
  session_tracker cut;
  while (!rest.empty()) {
    const auto head = static_cast<unsigned>(rest[0]);
    const byte_span bytes = rest.subspan(1, std::min<std::size_t>(rest.size() - 1, head >> 1));
    const bool client = (head & 1) != 0;
    const walk_result result = feed(whole, client, bytes);
    require(result == feed_in_pieces(cut, client, bytes, piece));
    if (result == walk_result::bad) return 0;
    require_equal(whole, cut);
    rest = rest.subspan(1 + bytes.size());
  }
  return 0;
}
