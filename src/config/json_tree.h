// JSON as the tree that a YAML document is read into (tree.h), so that an object of the Kubernetes API is
// read by what reads the file. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "config/tree.h"

namespace trunkline::config {

/// Texts count as quoted. Nothing has a place. Refused: more than limits::object_values, more levels than an
/// object's part of the file may have, a text with a NUL byte.
std::expected<node_ptr, tree_error> tree_of(const nlohmann::json& value);

}  // namespace trunkline::config
