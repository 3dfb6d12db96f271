#include "k8s/slice_watches.h"

#include <algorithm>
#include <utility>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {

namespace {

/// Of its services in a URL: a comma is "%2C" there.
std::size_t selector_bytes_of(const slice_reader& one) {
  std::size_t bytes = 0;
  for (const std::string& each : one.services())
    bytes += each.size() + 3;
  return bytes;
}

}  // namespace

slice_watches::group& slice_watches::group_for(const slice_reader& one) {
  const std::size_t bytes = selector_bytes_of(one);
  const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const group& each) {
    return !each.to.empty() && each.to.front()->name_space() == one.name_space() &&
           each.selector_bytes + bytes <= limits::k8s_selector_bytes;
  });
  return found != groups_.end() ? *found : groups_.emplace_back();
}

void slice_watches::add(std::shared_ptr<slice_reader> one) {
  group& in = group_for(*one);
  in.selector_bytes += selector_bytes_of(*one);
  in.to.push_back(std::move(one));
  in.changed = true;
}

void slice_watches::remove(const slice_reader& one) {
  for (group& each : groups_) {
    if (std::erase_if(each.to, [&](const auto& known) { return known.get() == &one; }) == 0) continue;
    each.selector_bytes -= selector_bytes_of(one);
    each.changed = true;
    return;
  }
}

void slice_watches::begin(group& of) {
  std::vector<std::string> services;
  for (const auto& each : of.to)
    services.insert(services.end(), each->services().begin(), each->services().end());
  auto before = of.sink == nullptr ? nullptr : of.sink->before_successor(of.watch);
  of.sink = std::make_shared<shared_slices>(of.to, ++last_number_, std::move(before));
  of.watch = start_(
      {.path = "/apis/discovery.k8s.io/v1/namespaces/" + of.to.front()->name_space() + "/endpointslices",
       .labels = selector_of(std::move(services))},
      of.sink);
  of.changed = false;
}

void slice_watches::refresh() {
  std::erase_if(groups_, [](const group& each) { return each.to.empty(); });
  for (group& each : groups_) {
    if (each.changed) begin(each);
  }
}

}  // namespace trunkline::k8s
