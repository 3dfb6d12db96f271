// Any bytes as the text of a query: no crash, and what the cache says is what the grammar says, also behind
// other texts of the same normal form.
#include <cstdlib>
#include <string>

#include "sql/effects_cache.h"

namespace {

using namespace trunkline::sql;

/// Numbers and the content of plain strings get other bytes; what the text means otherwise may change too.
std::string other_constants(std::string_view text) {
  std::string made(text);
  for (char& c : made) {
    if (c >= '0' && c < '9') ++c;
  }
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static effects_cache cache({}, 1024);
  if (size == 0) return 0;
  const lexical_rules rules{(data[0] & 1) == 0, (data[0] & 2) == 0};
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  for (const std::string& each : {std::string(text), other_constants(text)}) {
    const effects found = find_effects(each, rules);
    if (cache.look(each, rules) != found) std::abort();
    if (cache.look(each, rules) != found) std::abort();
    if (found.settings.size() > trunkline::limits::sql_settings) std::abort();
  }
  return 0;
}
