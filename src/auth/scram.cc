#include "auth/scram.h"

namespace trunkline::auth {
namespace {

constexpr std::string_view plain_name = "SCRAM-SHA-256";
constexpr std::string_view plus_name = "SCRAM-SHA-256-PLUS";

}  // namespace

std::string_view name_of(mechanism which) {
  return which == mechanism::scram_sha_256_plus ? plus_name : plain_name;
}

std::optional<mechanism> mechanism_named(std::string_view name) {
  if (name == plain_name) return mechanism::scram_sha_256;
  if (name == plus_name) return mechanism::scram_sha_256_plus;
  return std::nullopt;
}

}  // namespace trunkline::auth
