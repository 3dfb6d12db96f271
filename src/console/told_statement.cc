#include "console/told_statement.h"

#include "base/limits.h"

namespace trunkline::console {

told_statement tell_statement(const std::string& sent, audit::statement_cache& statements) {
  told_statement told;
  if (sent.empty()) return told;
  const auto list = statements.look(sent, sent.size() >= limits::statement_head_bytes);
  if (list == nullptr) return told;
  for (const auto& each : *list) {
    told.text += (told.text.empty() ? "" : "; ") + each.normalised;
    if (told.fingerprint.empty()) told.fingerprint = each.fingerprint;
  }
  return told;
}

}  // namespace trunkline::console
