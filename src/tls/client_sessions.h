// Sessions to resume towards servers, the latest for each name, bounded. Thread-safe. Private to this room.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>

#include "tls/openssl.h"

namespace trunkline::tls {

class client_sessions {
 public:
  explicit client_sessions(std::size_t most) : most_(most) {}

  /// Keeps a copy; the oldest name goes where there are too many.
  void keep(const std::string& name, const SSL_SESSION& session);
  /// A copy of its own for each caller (an SSL_SESSION is not to be shared between threads), or null.
  ssl_session_ptr find(std::string_view name);

 private:
  struct item {
    std::string name;
    ssl_session_ptr session;
  };
  const std::size_t most_;
  std::mutex mutex_;
  std::list<item> items_;  // the one used last is first; few names, so a list is searched fast enough
};

}  // namespace trunkline::tls
