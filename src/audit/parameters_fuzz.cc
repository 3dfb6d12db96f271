// Any bytes as a Bind: valid JSON, and not much of it.
#include <array>
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "audit/parameters.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline;
  constexpr std::array<std::uint32_t, 32> types{
      16,   17,   18,   19,   20,   21,   23,   25,   26,   114,  650,  700,  701,  829,  869,  1042,
      1043, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950, 3802, 1007, 1009, 1016, 1115, 1231, 2951};
  if (size == 0) return 0;
  const byte_span body{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  const auto from = std::span(types).subspan(data[0] % types.size());
  for (const auto how : {config::audit_parameters::full, config::audit_parameters::redacted}) {
    std::string out;
    audit::append_parameters(out, body, false, from, how);
    if (!nlohmann::json::accept(out) || out.size() > 256 * 1024) std::abort();
  }
  return 0;
}
