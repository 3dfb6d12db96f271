// What a peer said, for a terminal or a page. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trunkline::client {

/// One line that no terminal obeys: control characters become blanks. At most `most` bytes; the rest is cut.
std::string one_line(std::string_view text, std::size_t most);

}  // namespace trunkline::client
