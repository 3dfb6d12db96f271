// What an http_server serves: a request goes in, an answer comes out. Implemented by admin_site; by fakes in
// tests.
#pragma once

#include <cstdint>

#include "admin/http_message.h"

namespace trunkline::admin {

/// On which thread an answer is made. `here`: on the server's own, at once, for what never waits (health).
/// `brief`: on a thread of its own. `patient`: on another, for what may wait for a busy worker.
enum class lane : std::uint8_t { here, brief, patient };

class site {
 public:
  virtual ~site() = default;
  /// The server's thread.
  virtual lane lane_of(const http_request& request) const = 0;
  /// Any of the threads above, also at the same time.
  virtual http_response answer(const http_request& request) = 0;
  /// The server's thread, about once a second.
  virtual void tick() {}
};

}  // namespace trunkline::admin
