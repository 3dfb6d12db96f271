// The file of a store, before SQLite sees it. Blocks; any thread.
#pragma once

#include <string>

#include "base/result.h"

namespace trunkline::grants {

/// It is there, made readable for its owner only where it was not, and nobody else may write to it. Errors
/// say what is wrong.
result<> prepare_store_file(const std::string& path);

}  // namespace trunkline::grants
