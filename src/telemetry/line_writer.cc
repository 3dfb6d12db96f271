#include "telemetry/line_writer.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace trunkline::telemetry {

namespace {

constexpr std::size_t queue_lines = 8192;
/// How long a line waits for others.
constexpr std::chrono::milliseconds gather_for{5};

}  // namespace

line_writer::line_writer(std::vector<std::FILE*> files)
    : files_(std::move(files)), thread_("log", [this] { run(); }) {}

line_writer::~line_writer() {
  {
    std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void line_writer::push(std::string line, bool urgent) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() < queue_lines) {
      waiting_.push_back(std::move(line));
    } else {
      waiting_[oldest_] = std::move(line);
      oldest_ = (oldest_ + 1) % queue_lines;
      ++dropped_;
    }
    wake = parked_ || (urgent && !urgent_);
    parked_ = false;
    urgent_ = urgent_ || urgent;
  }
  if (wake) changed_.notify_one();
}

std::uint64_t line_writer::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void line_writer::run() {
  std::vector<std::string> lines;
  std::unique_lock lock(mutex_);
  while (!over_ || !waiting_.empty()) {
    parked_ = true;
    changed_.wait(lock, [this] { return over_ || !waiting_.empty(); });
    parked_ = false;
    changed_.wait_for(lock, gather_for, [this] { return over_ || urgent_; });
    urgent_ = false;
    std::rotate(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(std::exchange(oldest_, 0)),
                waiting_.end());
    lines.swap(waiting_);
    lock.unlock();
    write(lines);
    lines.clear();
    lock.lock();
  }
}

void line_writer::write(const std::vector<std::string>& lines) const {
  std::string all;
  for (const std::string& each : lines)
    all.append(each).push_back('\n');
  for (std::FILE* file : files_) {
    std::fwrite(all.data(), 1, all.size(), file);
    std::fflush(file);
  }
}

}  // namespace trunkline::telemetry
