// What a command that runs for a while has of its terminal: how wide it is, and the signals that want it to
// end. Any thread; one owner.
#pragma once

#include <signal.h>

#include <cstddef>
#include <optional>

namespace trunkline::main {

inline constexpr std::size_t usual_columns = 80;
inline constexpr std::size_t least_columns = 40;

/// Of the terminal behind the stream; nothing where there is none.
std::optional<std::size_t> columns_of(int stream);

/// SIGINT, SIGTERM and SIGHUP, which the process has blocked (signal_habit::own), as often as they come.
class end_signals {
 public:
  end_signals();
  /// One has come since the last look.
  bool look() const;

 private:
  sigset_t which_{};
};

}  // namespace trunkline::main
