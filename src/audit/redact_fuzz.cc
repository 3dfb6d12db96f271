// Any bytes around a password: it never comes out, and the cache takes the text.
#include <cstdlib>
#include <string>

#include "audit/redact.h"
#include "audit/statement_cache.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::audit;
  static statement_cache cache(1 << 20, true);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (cache.look(text)->empty()) std::abort();
  const std::string verifier = "SCRAM-SHA-256$4096:c2FsdA==$hunter2zz";
  const std::string sql = std::string(text) + " alter role x password '" + verifier + "'";
  if (redact_secrets(sql).find("hunter2zz") != std::string::npos) std::abort();
  return 0;
}
