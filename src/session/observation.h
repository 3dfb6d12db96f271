// What one worker sees of its sessions and keeps: counts per route, the flight recorder, the door to the
// audit, and spare state for exchanges under way, so that an idle session holds none. Written by the worker's
// loop thread; `routes`, `metrics` and `recorder` may be read by any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "session/audit_gate.h"
#include "session/exchange_timer.h"
#include "session/message_tap.h"
#include "session/statement_head.h"
#include "telemetry/flight_recorder.h"
#include "telemetry/route_metrics.h"

namespace trunkline::session {

/// Of one session, while something is outstanding.
struct exchange_in_flight {
  exchange_timer timer;
  statement_head head;
  message_tap requests;
  message_tap answers;
  message_gather small;
};

class observation {
 public:
  explicit observation(runtime::loop& where) : loop_(where) {}
  observation(const observation&) = delete;
  observation& operator=(const observation&) = delete;

  /// Before the first session. Without it nothing is audited.
  void audit_into(audit::tap& tap, audit::tap_reader& reader) {
    gate_ = std::make_unique<audit_gate>(loop_, tap, reader);
    audited_ = true;
  }
  /// As the configuration says; sessions that have begun keep to what was then.
  void set_audited(bool audited) { audited_ = audited && gate_ != nullptr; }
  /// Null: a session that begins now is not audited.
  audit_gate* gate() { return audited_ ? gate_.get() : nullptr; }
  /// Of a session that has begun, audited or not.
  audit_gate* gate_of(bool audited) { return audited ? gate_.get() : nullptr; }

  /// Stays for the life of the process.
  telemetry::route_metrics& of_route(std::string_view route, std::string_view upstream);
  std::vector<const telemetry::route_metrics*> routes() const;
  telemetry::worker_metrics& metrics() { return metrics_; }
  telemetry::flight_recorder& recorder() { return recorder_; }

  std::unique_ptr<exchange_in_flight> lend();
  void give_back(std::unique_ptr<exchange_in_flight> used);

 private:
  runtime::loop& loop_;
  mutable std::mutex routes_mutex_;
  std::vector<std::unique_ptr<telemetry::route_metrics>> routes_;
  telemetry::worker_metrics metrics_;
  telemetry::flight_recorder recorder_;
  std::unique_ptr<audit_gate> gate_;
  bool audited_ = false;
  std::vector<std::unique_ptr<exchange_in_flight>> spare_;
};

}  // namespace trunkline::session
