// A thread that its owner joins. All signals are blocked in it, so that they reach the thread that waits for
// them; what a write would raise (SIGXFSZ, SIGPIPE) becomes that write's error.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <utility>

namespace trunkline::runtime {

class owned_thread {
 public:
  owned_thread() = default;
  /// `name` is for those who look at the process; at most 15 characters are kept.
  owned_thread(const std::string& name, std::move_only_function<void()> body);
  owned_thread(owned_thread&&) = default;
  /// Waits for the one that it was.
  owned_thread& operator=(owned_thread&& other) noexcept {
    join();
    thread_ = std::move(other.thread_);
    return *this;
  }
  /// Waits for its end; telling it to end is the owner's part.
  ~owned_thread() { join(); }

  bool joinable() const { return thread_.joinable(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  std::thread thread_;
};

}  // namespace trunkline::runtime
