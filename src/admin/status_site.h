// The part of the admin's pages that anybody may see: health, readiness, metrics. For an address that probes
// and Prometheus reach, while sessions, users and the API stay where only the operator is. Owner: main; the
// pages that it shows outlive it.
#pragma once

#include "admin/site.h"

namespace trunkline::admin {

class status_site final : public site {
 public:
  /// `pages` also answers elsewhere, and takes its own ticks there.
  explicit status_site(site& pages) : pages_(pages) {}

  lane lane_of(const http_request& request) const override { return pages_.lane_of(request); }
  http_response answer(const http_request& request) override;

 private:
  site& pages_;
};

}  // namespace trunkline::admin
