// The console's statements, read from text: split at ';', comments and quotes known, words without regard to
// case. Says what a statement is; what SHOW knows is the catalogue's affair. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "session/console_desk.h"

namespace trunkline::console {

struct command {
  enum class kind : std::uint8_t {
    show,     ///< `what` is its name, in capitals
    act,      ///< `words`: the command in capitals and what it is about, as the desk wants it
    session,  ///< what drivers say to every server: no rows, no effect but `effect`
  };
  kind is = kind::session;
  std::string what = {};
  std::string_view tag = {};  ///< for CommandComplete
  session::console_effect effect = session::console_effect::none;
  std::vector<std::string> words = {};
};

/// In their order; the first that is not understood is an error and ends the list.
std::vector<result<command>> read_commands(std::string_view sql);

/// As an error may show it: short, on one line, ASCII.
std::string shown(std::string_view text);

}  // namespace trunkline::console
