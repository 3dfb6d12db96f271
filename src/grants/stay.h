// What a session has of the office: where its request or its grant stands, kept up to date from the office's
// thread. Destroying it tells the office that the session waits no longer. Owner: the session; its loop's
// thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "grants/desk.h"

namespace trunkline::grants {

class office;

/// Nothing of both: the office has not looked at it yet.
struct standing {
  std::optional<record> of = {};
  std::optional<refusal> why = {};  ///< there is, and will be, no request
  /// When the request times out or the grant ends, whatever the clock of this machine says.
  std::chrono::steady_clock::time_point ends = {};
};

class stay {
 public:
  using listener = std::function<void()>;

  stay(const stay&) = delete;
  stay& operator=(const stay&) = delete;
  ~stay();

  standing now() const;
  /// `changed` is called on the office's thread after each change from now on, and may do no more than post
  /// to a loop. Not any more once this has returned with another one.
  void listen(listener changed);

 private:
  friend class office;
  struct state {
    std::mutex mutex;
    standing now;
    listener changed;
    bool gone = false;
    std::int64_t id = 0;  ///< the office's thread only

    void set(standing next);
    bool is_gone();
  };
  stay(office& of, std::shared_ptr<state> shared) : office_(of), state_(std::move(shared)) {}

  office& office_;
  const std::shared_ptr<state> state_;
};

}  // namespace trunkline::grants
