#include "main/replica_number.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdlib>

#include "auth/sha256.h"

namespace trunkline::main {
namespace {

constexpr std::uint16_t number_most = 1'023;

}  // namespace

std::uint16_t replica_number_of(std::string_view host, std::string_view address) {
  const std::string_view name = host.substr(0, host.find('.'));
  const auto dash = name.rfind('-');
  if (dash != std::string_view::npos && dash > 0) {
    const std::string_view digits = name.substr(dash + 1);
    std::uint16_t ordinal = number_most;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
    // The random end of a Deployment's pod can be digits too, with a 0 in front or five of them.
    const bool whole = read.ec == std::errc{} && read.ptr == digits.data() + digits.size();
    const bool canonical = digits.size() == 1 || (!digits.empty() && digits.front() != '0');
    if (whole && canonical && ordinal < number_most) return static_cast<std::uint16_t>(ordinal + 1);
  }
  const auto hash = auth::sha256({as_bytes(host), as_bytes("\n"), as_bytes(address)});
  return static_cast<std::uint16_t>(1 + load_u32(hash.data()) % number_most);
}

std::string own_host_name() {
  if (const char* pod = std::getenv("HOSTNAME"); pod != nullptr && *pod != '\0') return pod;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

}  // namespace trunkline::main
