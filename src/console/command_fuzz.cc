// The texts of the console's statements: whatever they are, they are read to their end.
#include <cstdlib>

#include "console/command.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& each : trunkline::console::read_commands(text)) {
    if (each) continue;
    for (const char c : each.error().message)
      if (c < ' ' || c > '~') std::abort();
  }
  return 0;
}
