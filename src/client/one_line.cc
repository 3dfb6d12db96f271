#include "client/one_line.h"

namespace trunkline::client {

std::string one_line(std::string_view text, std::size_t most) {
  std::string made(text.substr(0, most));
  unsigned char before = 0;
  for (char& each : made) {
    const auto byte = static_cast<unsigned char>(each);
    // In UTF-8, what begins with C2 goes up to 9F with the C1 controls.
    const bool c1 = before == 0xc2 && byte >= 0x80 && byte <= 0x9f;
    if (byte < ' ' || byte == 0x7f || c1) each = ' ';
    before = byte;
  }
  return made;
}

}  // namespace trunkline::client
