// Signs of life of gateways that share requests: a Lease for each process, so that a request for which nobody
// waits any more is known as such, also where its gateway was killed. Nobody leads by these. One thread.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <string>

#include "grants/store.h"
#include "k8s/access_request.h"
#include "k8s/request_talk.h"

namespace trunkline::k8s {

class gateway_leases {
 public:
  gateway_leases(std::shared_ptr<request_talk> by, request_scope of);

  /// The first time it waits for the answer; from then on it does not.
  grants::stored<> tell_alive(const std::string& gateway, grants::wall_time until);
  grants::stored<std::set<std::string>> alive(grants::wall_time now);
  /// Removes those that have not been renewed since.
  grants::stored<> forget(grants::wall_time before);

 private:
  struct lease {
    std::string name;
    std::string gateway;
    grants::wall_time until{};
  };

  std::string target(const std::string& name = {}) const;
  json body_of(const std::string& gateway, grants::wall_time until) const;
  grants::stored<> create(const std::string& gateway, grants::wall_time until);
  grants::stored<std::vector<lease>> all();

  const std::shared_ptr<request_talk> by_;
  const request_scope scope_;
  const std::shared_ptr<std::atomic<bool>> there_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace trunkline::k8s
