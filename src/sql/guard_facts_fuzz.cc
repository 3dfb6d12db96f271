// Whatever text a client sends: what is taken for a plain list by its tokens has nothing in it that the grammar
// would find, where the grammar takes it at all.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/limits.h"
#include "sql/effects.h"
#include "sql/guard_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::sql;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 4'096 || guard_facts_of_long_text(text) != 0) return 0;
  const std::uint32_t found = find_effects(text).guard;
  if (found != 0 && found != bit(guard_fact::doubt)) std::abort();
  return 0;
}
