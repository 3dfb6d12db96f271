#include "admin/statement_text.h"

#include "base/limits.h"

namespace trunkline::admin {

statement_text::statement_text() : cache_(limits::admin_statement_cache_bytes, false) {}

std::string statement_text::normalised(std::string_view sql) {
  if (sql.empty()) return {};
  const bool cut = sql.size() >= limits::statement_head_bytes;
  audit::statement_list list;
  {
    std::lock_guard lock(mutex_);
    list = cache_.look(sql, cut);
  }
  std::string made;
  for (const auto& each : *list) {
    if (each.normalised.empty()) return {};
    if (!made.empty()) made += "; ";
    made += each.normalised;
  }
  return made;
}

}  // namespace trunkline::admin
