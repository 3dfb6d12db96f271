// A statement as the console may show it: without literals, since what a client sent may hold passwords. On
// the console's own threads.
#pragma once

#include <string>

#include "audit/statement_cache.h"

namespace trunkline::console {

struct told_statement {
  std::string text;  ///< empty: the grammar cannot read it, so that nobody knows what is a secret
  std::string fingerprint;
};

/// `sent` may have been cut at `limits::statement_head_bytes`.
told_statement tell_statement(const std::string& sent, audit::statement_cache& statements);

}  // namespace trunkline::console
