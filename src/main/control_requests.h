// What the console wants of the control thread: RELOAD, SHUTDOWN, SET. The console's threads ask and wait;
// the control thread is woken by a signal, which is how it learns of everything, and answers. Owner: the
// gateway's `control`.
#pragma once

#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"

namespace trunkline::main {

enum class control_verb : std::uint8_t {
  reload,
  set,                ///< key and value
  shut_down,          ///< now
  shut_down_servers,  ///< when no transaction is under way
  shut_down_clients,  ///< when the clients have gone
};

class control_requests {
 public:
  struct request {
    control_verb verb = control_verb::reload;
    std::string key = {};
    std::string value = {};
    std::shared_ptr<std::promise<result<>>> answer = {};
  };

  /// Any thread but the control thread. Waits for the answer, at most limits::reload_wait.
  result<> ask(control_verb verb, std::string key = {}, std::string value = {});
  /// Control thread: the next one; each must be answered.
  std::optional<request> next();

  /// Control thread: nobody is answered from now on, and who waits is told.
  void close();

  /// The signal that wakes the control thread, which has it blocked.
  static int wake_signal();
  /// Any thread: there is something to see.
  static void wake();

 private:
  std::mutex mutex_;
  std::deque<request> waiting_;
  bool closed_ = false;
};

}  // namespace trunkline::main
