// Preparation of passwords before they are hashed (RFC 4013), in PostgreSQL's lenient reading: a password
// that is pure ASCII, is not valid UTF-8, holds prohibited or unassigned characters, or would become empty
// is used exactly as it was given. Pure function; any thread.
#pragma once

#include <string_view>

#include "base/redacted.h"

namespace trunkline::auth {

secret_text prepare_password(std::string_view password);

}  // namespace trunkline::auth
