// What remains of a session once OpenSSL's object is gone: the record layer, and the facts that may be asked
// for. Private to this room.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tls/certificate.h"
#include "tls/record_layer.h"

namespace trunkline::tls {

struct settled {
  std::unique_ptr<record_layer> records;
  std::string_view version;  // OpenSSL's constants
  std::string_view cipher;
  std::string alpn;
  std::unique_ptr<const certificate_facts> peer;
  std::vector<std::byte> server_end_point;
  bool reused = false;
};

}  // namespace trunkline::tls
