#include "admin/health.h"

#include "admin/json.h"
#include "base/limits.h"
#include "base/seconds.h"

namespace trunkline::admin {

http_response health_page(session::observer& seen, std::chrono::steady_clock::time_point now) {
  json silent = json::array();
  const auto workers = seen.workers();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::int64_t beat = workers[i]->heartbeat_ns.load(std::memory_order_relaxed);
    if (beat == 0) {
      // It may just be starting.
      const auto age = std::chrono::system_clock::now() - seen.started();
      if (age > limits::loop_silence) silent.push_back({{"worker", i}, {"silentSeconds", nullptr}});
      continue;
    }
    const auto silence = now.time_since_epoch() - std::chrono::nanoseconds(beat);
    if (silence > limits::loop_silence)
      silent.push_back({{"worker", i}, {"silentSeconds", seconds_of(silence)}});
  }
  if (silent.empty()) return json_response({{"status", "ok"}, {"workers", workers.size()}});
  return json_response({{"status", "hanging"},
                        {"why", "the loops of these workers do not turn: their sessions stand still"},
                        {"workers", workers.size()},
                        {"silent", silent}},
                       503);
}

http_response ready_page(session::observer& seen) {
  const bool draining = seen.draining();
  if (seen.ready() && !draining) return json_response({{"status", "ready"}});
  const char* why = "not yet listening";
  if (seen.settings() == nullptr) why = "no configuration is in force yet";
  if (draining) why = "draining: the gateway ends, new clients belong elsewhere";
  return json_response({{"status", draining ? "draining" : "starting"}, {"why", why}}, 503);
}

}  // namespace trunkline::admin
