#include "k8s/shared_slices.h"

#include <utility>

namespace trunkline::k8s {

namespace {

std::string service_of_slice(const json& slice) {
  return text_of(field_of(field_of(slice, "metadata"), "labels"), service_label);
}

}  // namespace

shared_slices::shared_slices(slice_readers to, std::uint64_t number, std::shared_ptr<const void> before)
    : to_(std::move(to)), number_(number), before_(std::move(before)) {
  for (const auto& each : to_) {
    for (const std::string& service : each->services())
      by_service_.emplace(service, each.get());
  }
}

std::shared_ptr<const void> shared_slices::before_successor(std::shared_ptr<const void> own) {
  std::lock_guard lock(mutex_);
  return listed_ ? own : std::exchange(before_, nullptr);
}

void shared_slices::has_listed() {
  std::shared_ptr<const void> dropped;  // without the lock
  std::lock_guard lock(mutex_);
  listed_ = true;
  dropped = std::move(before_);
}

/// Those that go by this watch.
template <class Do>
void shared_slices::each_of(const std::string& service, Do what) {
  const auto [first, last] = by_service_.equal_range(service);
  for (auto each = first; each != last; ++each) {
    if (tells(*each->second)) what(*each->second);
  }
}

void shared_slices::replace(std::vector<json> all) {
  services_.clear();
  for (const auto& each : to_) {
    // What another one has listed since is newer.
    if (each->told_by < number_) each->told_by = number_;
    if (tells(*each)) each->clear();
  }
  for (const json& slice : all) {
    const auto known = services_.emplace(name_of(slice), service_of_slice(slice)).first;
    each_of(known->second, [&](slice_reader& one) { one.put(slice); });
  }
  for (const auto& each : to_) {
    if (tells(*each)) each->publish();
  }
  has_listed();
}

void shared_slices::put(const json& object) {
  const std::string service = service_of_slice(object);
  std::string& known = services_[name_of(object)];
  // A label may be changed; whoever reads both services has it as before.
  if (known != service) {
    each_of(known, [&](slice_reader& one) {
      if (one.reads(service)) return;
      one.remove(object);
      one.publish();
    });
  }
  known = service;
  each_of(service, [&](slice_reader& one) {
    one.put(object);
    one.publish();
  });
}

void shared_slices::remove(const json& object) {
  const auto known = services_.find(name_of(object));
  if (known == services_.end()) return;
  each_of(known->second, [&](slice_reader& one) {
    one.remove(object);
    one.publish();
  });
  services_.erase(known);
}

void shared_slices::confirmed(moment now) {
  for (const auto& each : to_) {
    if (tells(*each)) each->confirmed(now);
  }
}

void shared_slices::failed(const std::string& why) {
  for (const auto& each : to_) {
    if (tells(*each) || each->told_by == 0) each->failed(why);
  }
}

}  // namespace trunkline::k8s
