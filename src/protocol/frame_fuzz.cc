// Frames any bytes: sizes add up, nothing is read past the input, and the header walker sees the same
// messages.
#include <cstdlib>
#include <vector>

#include "protocol/frame.h"
#include "protocol/header_walker.h"

namespace {

using namespace trunkline;
using namespace trunkline::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

struct counter {
  std::vector<std::pair<char, std::uint32_t>> headers;
  std::uint32_t on_header(char type, std::uint32_t length) {
    headers.emplace_back(type, length);
    return 0;
  }
  void on_body(char /*type*/, byte_span /*piece*/, bool /*last*/) {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  byte_span rest{reinterpret_cast<const std::byte*>(data), size};
  header_walker walker;
  counter seen;
  const walk_result walked = walker.walk(rest, seen);
  std::size_t index = 0;
  for (;;) {
    const frame_result result = next_frame(rest, limits::message_length_max);
    if (const auto* wrong = std::get_if<bad>(&result)) {
      require(wrong->why.code == sqlstates::protocol_violation && walked == walk_result::bad);
      require(index == seen.headers.size());
      return 0;
    }
    if (const auto* more = std::get_if<need_more>(&result)) {
      require(more->bytes > 0 && walked == walk_result::ok);
      require(walker.at_boundary() == rest.empty());
      require(seen.headers.size() == index + (rest.size() >= 5 ? 1 : 0));
      return 0;
    }
    const frame& message = std::get<frame>(result);
    require(message.size == message.body.size() + 5 && message.size <= rest.size());
    require(index < seen.headers.size() && seen.headers[index].first == message.type);
    require(seen.headers[index].second == message.size - 1);
    rest = rest.subspan(message.size);
    ++index;
  }
}
