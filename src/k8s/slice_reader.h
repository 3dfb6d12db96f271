// What EndpointSlices say of one upstream, made into what its feed publishes. It is told by one watch at a
// time, which other upstreams may share (shared_slices.h). One thread: the client's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "k8s/collection_watch.h"
#include "k8s/endpoint_slices.h"
#include "pool/endpoint_feed.h"

namespace trunkline::k8s {

class slice_reader {
 public:
  slice_reader(const config::kubernetes_discovery& what, std::shared_ptr<pool::endpoint_feed> to);

  // Any thread's:
  const std::string& name_space() const { return name_space_; }
  /// Whose slices it reads.
  const std::vector<std::string>& services() const { return services_; }
  bool reads(const std::string& service) const;

  // Nobody hears of it before `publish`:
  void clear() { slices_.clear(); }
  void put(const json& slice) { slices_.put(slice); }
  void remove(const json& slice) { slices_.remove(slice); }
  /// As with names, an empty answer takes nobody away: it is told.
  void publish();

  void confirmed(moment now) {
    if (problem_.empty()) to_->confirm(now);
  }
  void failed(const std::string& why) { to_->fail(why); }

  /// Which watch it goes by; 0: none has told it anything.
  std::uint64_t told_by = 0;

 private:
  const std::string name_space_;
  const std::vector<std::string> services_;
  const std::string what_;
  endpoint_slices slices_;
  const std::shared_ptr<pool::endpoint_feed> to_;
  std::string problem_;  // that is not the API server's
};

}  // namespace trunkline::k8s
