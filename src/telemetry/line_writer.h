// Writes lines to files from a thread of its own, so that a stuck reader never stops a session. Lines that
// come close together are written together: where many sessions end, a wake-up and a write for each would
// cost more than the lines. A bounded queue: where it is full the oldest line is dropped and counted. Any
// thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/owned_thread.h"

namespace trunkline::telemetry {

class line_writer {
 public:
  /// The files outlive it.
  explicit line_writer(std::vector<std::FILE*> files);
  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;
  /// Writes out what is queued.
  ~line_writer();

  /// `line` has no line end. `urgent`: it does not wait for others.
  void push(std::string line, bool urgent);
  std::uint64_t dropped() const;

 private:
  void run();
  void write(const std::vector<std::string>& lines) const;

  const std::vector<std::FILE*> files_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> waiting_;
  std::size_t oldest_ = 0;  // where a full queue goes round
  std::uint64_t dropped_ = 0;
  bool parked_ = false;
  bool urgent_ = false;
  bool over_ = false;
  runtime::owned_thread thread_;
};

}  // namespace trunkline::telemetry
