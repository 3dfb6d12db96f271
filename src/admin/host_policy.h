// Which names a browser may have called us by. A page of a stranger's that makes its own name resolve to
// 127.0.0.1 (DNS rebinding) sends that name as Host: a server on loopback answers only to its own. On other
// addresses any name may be right, and a unix socket is out of a browser's reach. Value type; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace trunkline::admin {

class host_policy {
 public:
  /// Answers to everything.
  host_policy() = default;
  explicit host_policy(const config::address& listening);

  /// `host` as in the request's field, with or without a port; none: a client that is no browser.
  bool allows(const std::optional<std::string>& host) const;

 private:
  bool loopback_ = false;
  std::string own_;
};

}  // namespace trunkline::admin
