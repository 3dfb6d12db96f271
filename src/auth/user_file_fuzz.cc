// Any text as a user file: it is read or refused; what was read has names, and verifiers that survive their
// own text; an error names a line.
#include <cstdlib>
#include <string>

#include "auth/user_file.h"

using namespace trunkline;
using namespace trunkline::auth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = user_file::parse(text, "f");
  if (!parsed) {
    if (!parsed.error().message.starts_with("f:")) std::abort();
    return 0;
  }
  for (const auto& [name, secret] : parsed->users()) {
    if (name.empty() || parsed->find(name) != &secret) std::abort();
    const auto* found = std::get_if<verifier>(&secret);
    if (found == nullptr) continue;
    const auto again = parse_verifier(format_verifier(*found).reveal());
    if (!again || format_verifier(*again).reveal() != format_verifier(*found).reveal()) std::abort();
  }
  return 0;
}
