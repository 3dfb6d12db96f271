#include "auth/saslprep.h"

#include <stringprep.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

namespace trunkline::auth {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

secret_text prepare_password(std::string_view password) {
  secret_text raw{std::string(password)};
  // libidn takes C strings; a password with a NUL cannot come over the wire, but may stand in a file.
  if (is_ascii(password) || password.find('\0') != std::string_view::npos) return raw;

  // Besides what is prohibited this refuses invalid UTF-8, and code points that Unicode 3.2 did not know.
  char* prepared = nullptr;
  const int outcome =
      stringprep_profile(raw.reveal().c_str(), &prepared, "SASLprep", STRINGPREP_NO_UNASSIGNED);
  if (outcome != STRINGPREP_OK || prepared == nullptr) return raw;
  const std::size_t size = std::strlen(prepared);
  secret_text out = size == 0 ? std::move(raw) : secret_text{std::string(prepared, size)};
  wipe(prepared, size);
  std::free(prepared);
  return out;
}

}  // namespace trunkline::auth
