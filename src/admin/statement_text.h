// Statements as they may be shown: normalised, without a literal and so without a password. Any thread; they
// take turns at one cache.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "audit/statement_cache.h"

namespace trunkline::admin {

class statement_text {
 public:
  statement_text();

  /// All statements of a query's text, "; " between them. Empty where the grammar cannot read it, which is so
  /// for one that was cut: what cannot be read cannot be told from a secret.
  std::string normalised(std::string_view sql);

 private:
  std::mutex mutex_;
  audit::statement_cache cache_;
};

}  // namespace trunkline::admin
