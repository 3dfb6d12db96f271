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

result<std::shared_ptr<const tls::client_context>> build_tls(const conninfo& dsn) {
  if (dsn.ssl == ssl_mode::disable) return nullptr;
  tls::client_settings wanted;
  if (dsn.ssl == ssl_mode::verify_ca) wanted.verify = tls::verification::verify_ca;
  if (dsn.ssl == ssl_mode::verify_full) wanted.verify = tls::verification::verify_full;
  if (dsn.ssl_root_cert != "system") wanted.ca_file = dsn.ssl_root_cert;
  wanted.cert_file = dsn.ssl_cert;
  wanted.key_file = dsn.ssl_key;
  // Whole handshakes, as libpq makes them.
  wanted.resumes = false;
  return tls::client_context::build(wanted, std::chrono::system_clock::now());
}

}  // namespace trunkline::storm
