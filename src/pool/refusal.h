// An operator's command that cannot be carried out, as the console tells it. Any thread.
#pragma once

#include <string>
#include <utility>

#include "base/error.h"

namespace trunkline::pool {

inline constexpr sqlstate undefined_object{"42704"};

inline error refusal(sqlstate code, std::string message, std::string hint = "") {
  return {.source = error_source::client,
          .reaction = error_reaction::reject,
          .code = code,
          .message = std::move(message),
          .hint = std::move(hint)};
}

}  // namespace trunkline::pool
