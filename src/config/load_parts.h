// The steps of a load, for those that load more than a file.
#pragma once

#include <expected>
#include <string>

#include "config/section.h"

namespace trunkline::config {

/// What stands in the file; an error in words.
std::expected<std::string, std::string> read_configuration(const std::string& path);
/// What was found: the settings, where there is no problem. Takes the lists of `state`.
loaded finish_load(load_state& state, settings value);

}  // namespace trunkline::config
