#include "auth/saslprep.h"

#include <stringprep.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace trunkline::auth {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The library's profile with normalization as the last step instead of in the middle: PostgreSQL looks for
/// prohibited, unassigned and bidirectional characters in the password as it was before normalization.
std::vector<Stringprep_profile> make_postgres_profile() {
  std::vector<Stringprep_profile> steps;
  std::vector<Stringprep_profile> normalization;
  for (const Stringprep_profile* step = stringprep_saslprep; step->operation != 0; ++step) {
    (step->operation == STRINGPREP_NFKC ? normalization : steps).push_back(*step);
  }
  steps.insert(steps.end(), normalization.begin(), normalization.end());
  steps.push_back({});  // the end
  return steps;
}

}  // namespace

secret_text prepare_password(std::string_view password) {
  secret_text raw{std::string(password)};
  // libidn takes C strings; a password with a NUL cannot come over the wire, but may stand in a file.
  if (is_ascii(password) || password.find('\0') != std::string_view::npos) return raw;

  static const std::vector<Stringprep_profile> profile = make_postgres_profile();
  // Normalization makes at most 33 bytes of 3 (U+FDFA).
  std::vector<char> text(12 * password.size() + 1);
  std::memcpy(text.data(), password.data(), password.size());
  // Besides what is prohibited this refuses invalid UTF-8, and code points that Unicode 3.2 did not know.
  const int outcome = stringprep(text.data(), text.size(), STRINGPREP_NO_UNASSIGNED, profile.data());
  secret_text prepared{std::string(text.data())};
  wipe(text.data(), text.size());
  return outcome == STRINGPREP_OK && !prepared.empty() ? prepared : raw;
}

}  // namespace trunkline::auth
