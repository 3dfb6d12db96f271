#include "runtime/timer.h"

namespace trunkline::runtime {

void timer::arm(time_point deadline) {
  disarm();
  deadline_ = deadline;
  queue_->add(this);
}

void timer::disarm() {
  if (armed()) queue_->remove(this);
}

void timer_queue::fire(time_point now) {
  while (!heap_.empty() && heap_.front()->deadline_ <= now) {
    timer* due = heap_.front();
    remove(due);
    due->call_(due->context_);  // may destroy `due`
  }
}

void timer_queue::place(timer* which, std::size_t index) {
  heap_[index] = which;
  which->index_ = index;
}

void timer_queue::add(timer* which) {
  heap_.push_back(which);
  which->index_ = heap_.size() - 1;
  sift_up(which->index_);
}

void timer_queue::remove(timer* which) {
  const std::size_t hole = which->index_;
  timer* last = heap_.back();
  heap_.pop_back();
  which->index_ = timer::not_armed;
  if (last == which) return;
  place(last, hole);
  sift_up(hole);
  sift_down(last->index_);
}

void timer_queue::sift_up(std::size_t index) {
  timer* moving = heap_[index];
  while (index > 0) {
    const std::size_t parent = (index - 1) / 2;
    if (heap_[parent]->deadline_ <= moving->deadline_) break;
    place(heap_[parent], index);
    index = parent;
  }
  place(moving, index);
}

void timer_queue::sift_down(std::size_t index) {
  timer* moving = heap_[index];
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->deadline_ < heap_[child]->deadline_) ++child;
    if (moving->deadline_ <= heap_[child]->deadline_) break;
    place(heap_[child], index);
    index = child;
  }
  place(moving, index);
}

}  // namespace trunkline::runtime
