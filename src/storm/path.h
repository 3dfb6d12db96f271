// What all connections of a run over one path share. Owner: one loop thread; outlives them.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "auth/key_cache.h"
#include "base/result.h"
#include "client/conninfo.h"
#include "runtime/loop.h"
#include "runtime/work_pool.h"
#include "storm/fault.h"
#include "storm/settings.h"
#include "storm/stall_watch.h"
#include "storm/tally.h"
#include "tls/client_context.h"

namespace trunkline::storm {

using trunkline::client::conninfo;
using trunkline::client::server_address;
using trunkline::client::ssl_mode;

/// A step of a conversation: it went as it must, or what went wrong.
template <class T = void>
using outcome = std::expected<T, problem>;

struct path {
  runtime::loop* where = nullptr;
  runtime::work_pool* work = nullptr;  ///< for look-ups and PBKDF2
  auth::key_cache* keys = nullptr;
  const stall_watch* stalls = nullptr;
  const settings* how = nullptr;
  const conninfo* dsn = nullptr;
  std::shared_ptr<const tls::client_context> tls = nullptr;  ///< null where sslmode is disable
  tally* said = nullptr;
  std::uint32_t run = 0;  ///< tells the rows of this process
  std::string label;      ///< "A" or "B"

  /// Bounds each step of a login: connect_timeout where the DSN has one.
  std::chrono::milliseconds login_patience() const;
  /// Beyond it the server itself ends a statement, so that nothing goes on there when this process is gone.
  std::chrono::milliseconds statement_timeout() const;
  /// How long a statement sleeps that is to be cancelled: a lost CancelRequest shows before the client gives
  /// up.
  std::chrono::milliseconds nap() const { return (how->late + how->timeout) / 2; }
};

}  // namespace trunkline::storm
