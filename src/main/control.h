// The control thread of a gateway: starts it, takes signals, the console's requests and changes of files,
// reloads, drains, hands over, ends it. `serve` and `pgbouncer` differ in where the configuration comes from
// and in what the signals mean. Owner and only thread: the command's.
#pragma once

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

#include "config/load.h"
#include "main/admin_wiring.h"
#include "main/configuration_source.h"
#include "main/control_requests.h"
#include "main/gateway.h"
#include "main/gateway_observer.h"
#include "main/inheritance.h"
#include "main/options.h"
#include "main/process_parts.h"
#include "main/reload_watch.h"
#include "main/successor.h"
#include "telemetry/logger.h"

namespace trunkline::main {

/// Before any thread is made, so that all inherit it: signals are taken by the control thread only.
void prepare_process(signal_habit habit);

class control {
 public:
  /// `parts` and `source` outlive it. `first` is what `source` loaded, without problems.
  control(const serve_options& options, process_parts& parts, configuration_source& source,
          config::loaded first, inheritance inherited);

  /// Until it is told to end; answers the exit code.
  int run();

 private:
  enum class outcome : std::uint8_t { go_on, end };

  result<> start();
  void serve_until_ended();
  void tick();
  std::chrono::milliseconds patience(std::chrono::steady_clock::time_point next_look) const;
  void look();
  void tell_dropped_lines();
  void log_warnings(const config::loaded& loaded);
  void log_io_uring();
  result<> reload(const char* why);
  result<> apply(config::loaded loaded, const char* why);

  outcome on_signal(int which);
  outcome on_signal_of_pgbouncer(int which);
  outcome on_requests();
  outcome carry_out(control_requests::request& asked);

  /// The next control signal of `which`, or 0 after `patience`.
  static int next_signal(const sigset_t& which, std::chrono::milliseconds patience);
  int stay(std::chrono::milliseconds time, const std::function<bool()>& busy);
  void drain();
  void end_sessions(std::chrono::milliseconds grace);
  void wait_for_servers(const char* why);
  void wait_for_clients(const char* why);
  bool hand_over();
  bool await(successor& next);
  void leave_to(successor& next);

  const serve_options& options_;
  configuration_source& source_;
  telemetry::logger& log_;
  inheritance inherited_;
  control_requests requests_;
  gateway gateway_;
  gateway_observer observer_{gateway_};
  std::optional<admin_server> admin_;
  config::loaded current_;
  reload_watch watch_;
  std::uint64_t dropped_lines_ = 0;
};

}  // namespace trunkline::main
