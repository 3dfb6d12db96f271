// What a peer said as HTML and SVG want it: text, whatever is in it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::client {

/// For an element's content or a quoted attribute; what is for terminals becomes a blank.
std::string escaped(std::string_view text);

}  // namespace trunkline::client
