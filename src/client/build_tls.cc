#include "client/build_tls.h"

#include <chrono>

namespace trunkline::client {

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

}  // namespace trunkline::client
