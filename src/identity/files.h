// Files that say who somebody is. Blocking: never on a worker's loop.
#pragma once

#include <memory>
#include <string>

#include "auth/key_set.h"
#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::identity {

/// The token that the file holds, without its line end. Errors name the file.
result<secret_text> read_token_file(const std::string& path);

/// Whatever the file holds, up to so many bytes. Errors name the file.
result<secret_text> read_text_file(const std::string& path, std::size_t most);

/// A JWKS. Errors name the file.
result<std::shared_ptr<const auth::key_set>> read_key_file(const std::string& path);

}  // namespace trunkline::identity
