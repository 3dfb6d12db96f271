// A text in the body of a message: its bytes, and a NUL ("String" in the protocol's message formats). Pure;
// any thread.
#pragma once

#include <cstring>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace trunkline::session {

/// Text up to its NUL, a view; what is behind it stays in `body`. Without a NUL: nothing.
inline std::optional<std::string_view> take_text(byte_span& body) {
  const void* end = body.empty() ? nullptr : std::memchr(body.data(), 0, body.size());
  if (end == nullptr) return std::nullopt;
  const auto size = static_cast<std::size_t>(static_cast<const std::byte*>(end) - body.data());
  const std::string_view text = as_text(body.first(size));
  body = body.subspan(size + 1);
  return text;
}

}  // namespace trunkline::session
