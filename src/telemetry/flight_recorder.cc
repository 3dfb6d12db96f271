#include "telemetry/flight_recorder.h"

#include <algorithm>
#include <utility>

namespace trunkline::telemetry {
namespace {

void cut(std::string& text, std::size_t most) {
  if (text.size() > most) text = text.substr(0, most);  // a new string: resizing keeps the memory
}

std::vector<flight_record> copy(const std::vector<std::shared_ptr<const flight_record>>& from) {
  std::vector<flight_record> made;
  made.reserve(from.size());
  for (const auto& each : from)
    made.push_back(*each);
  return made;
}

}  // namespace

void flight_recorder::keep(flight_record record, std::chrono::steady_clock::time_point now) {
  cut(record.statement, limits::statement_head_bytes);
  for (std::string* text : {&record.route, &record.user, &record.database, &record.application_name,
                            &record.client, &record.endpoint}) {
    cut(*text, limits::flight_text_bytes);
  }
  const bool failed = record.facts.how != outcome::ok;
  const auto shared = std::make_shared<const flight_record>(std::move(record));
  std::lock_guard lock(mutex_);
  if (now - window_began_ >= limits::slow_window) turn_page(now);
  keep_slow(shared);
  if (!failed) return;
  if (failed_.size() < limits::failed_exchanges) {
    failed_.push_back(shared);
  } else {
    failed_[next_failed_] = shared;
  }
  next_failed_ = (next_failed_ + 1) % limits::failed_exchanges;
}

void flight_recorder::turn_page(std::chrono::steady_clock::time_point now) {
  // After a pause of more than a window there is no window before.
  const bool follows = now - window_began_ < 2 * limits::slow_window;
  previous_ = follows ? std::move(slow_) : std::vector<kept>();
  slow_.clear();
  threshold_ns_ = -1;
  window_began_ = now;
}

void flight_recorder::keep_slow(const kept& record) {
  if (slow_.size() == limits::slow_exchanges) {
    if (!slower(record, slow_.front())) return;
    std::pop_heap(slow_.begin(), slow_.end(), slower);
    slow_.pop_back();
  }
  slow_.push_back(record);
  std::push_heap(slow_.begin(), slow_.end(), slower);
  if (slow_.size() == limits::slow_exchanges) threshold_ns_ = slow_.front()->facts.total.count();
}

std::vector<flight_record> flight_recorder::slowest() const {
  std::vector<kept> found;
  {
    // Readers copy pointers only: the loop waits for nobody who copies texts.
    std::lock_guard lock(mutex_);
    found = slow_;
    found.insert(found.end(), previous_.begin(), previous_.end());
  }
  std::stable_sort(found.begin(), found.end(), slower);
  return copy(found);
}

std::vector<flight_record> flight_recorder::failed() const {
  std::vector<kept> found;
  {
    std::lock_guard lock(mutex_);
    found.reserve(failed_.size());
    for (std::size_t i = 1; i <= failed_.size(); ++i)
      found.push_back(failed_[(next_failed_ + limits::failed_exchanges - i) % limits::failed_exchanges]);
  }
  return copy(found);
}

}  // namespace trunkline::telemetry
