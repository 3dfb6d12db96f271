#include "storm/path.h"

#include <algorithm>

namespace trunkline::storm {

std::chrono::milliseconds path::login_patience() const {
  return dsn->connect_timeout.count() > 0 ? std::chrono::milliseconds(dsn->connect_timeout) : how->timeout;
}

std::chrono::milliseconds path::statement_timeout() const {
  const std::chrono::milliseconds reading(how->bulk_bytes * 1'000 / how->read_bytes_per_second);
  return 2 * std::max(how->timeout, reading);
}

}  // namespace trunkline::storm
