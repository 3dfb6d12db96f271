// The keys that name a Secret of Kubernetes in the place of a file, and what such a reference says.
#pragma once

#include <string>
#include <vector>

#include "config/schema.h"

namespace trunkline::config {

/// `…Secret` beside a key `…File`: `path` without the ending. `key`: the Secret's, where none is said.
schema_key secret_beside(const std::string& path, std::string doc, std::string key);
/// `certSecret` beside certFile and keyFile of the mapping `parent`.
schema_key tls_secret_in(const std::string& parent, std::string doc);
/// What stands below them: no part of schema(), since it is the same everywhere.
std::vector<schema_key> secret_keys();

}  // namespace trunkline::config
