// SIGUSR2 of `serve`: another process takes over (docs/decisions/0014-hand-over.md).
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "main/control.h"
#include "main/notify.h"

namespace trunkline::main {

using namespace std::chrono_literals;
using telemetry::log_level;

/// True: the other process serves, and this one's sessions are over.
bool control::hand_over() {
  if (::getpid() == 1) {
    log_.write(log_level::error, "handover",
               "this is process 1 of its container, which ends with it: replace the container instead");
    return false;
  }
  auto sockets = gateway_.sockets_to_hand_over();
  for (auto& each : admin_->sockets_to_hand_over())
    sockets.push_back(std::move(each));
  auto next = successor::start(std::move(sockets));
  if (!next) {
    log_.write(log_level::error, "handover", next.error().message + ": this process goes on");
    return false;
  }
  log_.write(log_level::info, "handover", "a new process starts",
             {{"pid", static_cast<std::int64_t>(next->pid())}});
  if (!await(*next)) {
    log_.write(log_level::error, "handover",
               "the new process did not start: " + next->reason() + ": this process goes on");
    return false;
  }
  leave_to(*next);
  return true;
}

/// Until the new process is ready, this one serves as before; what else it is told waits.
bool control::await(successor& next) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  const auto late = std::chrono::steady_clock::now() + limits::handover_ready;
  while (next.look() == successor::state::starting) {
    if (std::chrono::steady_clock::now() >= late) {
      next.give_up("it was not ready in time");
    } else if (const int which = next_signal(set, 20ms)) {
      next.give_up("this process was told to end");
      ::kill(::getpid(), which);  // blocked: it is taken next
    }
  }
  return next.look() == successor::state::ready;
}

/// Sessions go on undisturbed, and end as in a drain when the grace time draws to its end.
void control::leave_to(successor& next) {
  const auto grace = current_.value->drain_grace;
  notify_manager(fmt::format("MAINPID={}\nREADY=1", next.pid()));
  source_.stop();
  admin_->hand_over();
  gateway_.hand_over(next.take_link());
  log_.write(log_level::info, "handover", "the new process has taken over; sessions go on here",
             {{"pid", static_cast<std::int64_t>(next.pid())},
              {"sessions", static_cast<std::int64_t>(gateway_.sessions())},
              {"graceSeconds", seconds_of(grace)}});
  const auto last_call = std::min(grace / 4, limits::handover_last_call);
  // Cancel requests for sessions of the process before this one pass through here.
  const int told =
      stay(grace - last_call, [this] { return gateway_.sessions() > 0 || inherited_.elder_lives(); });
  if (told != SIGINT && gateway_.sessions() > 0) end_sessions(told == SIGTERM ? grace : last_call);
}

}  // namespace trunkline::main
