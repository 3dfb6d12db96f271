#include "k8s/slice_reader.h"

#include <algorithm>
#include <utility>

namespace trunkline::k8s {

slice_reader::slice_reader(const config::kubernetes_discovery& what, std::shared_ptr<pool::endpoint_feed> to)
    : name_space_(what.name_space),
      services_(services_of(what)),
      what_(what.name_space + "/" + (what.service.empty() ? what.cluster : what.service)),
      slices_(what),
      to_(std::move(to)) {}

bool slice_reader::reads(const std::string& service) const {
  return std::find(services_.begin(), services_.end(), service) != services_.end();
}

void slice_reader::publish() {
  auto found = std::make_shared<const pool::found_endpoints>(slices_.found());
  problem_.clear();
  if (found->endpoints.empty()) {
    problem_ = slices_.problem();
    if (problem_.empty()) problem_ = "no EndpointSlice of " + what_ + " has an endpoint";
  }
  if (problem_.empty() || to_->now() == nullptr) to_->publish(std::move(found));
  if (!problem_.empty()) to_->fail(problem_);
}

}  // namespace trunkline::k8s
