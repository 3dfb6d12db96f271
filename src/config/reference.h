// The tables of docs/configuration.md, printed from the schema; a test compares the two.
#pragma once

#include <string>

namespace trunkline::config {

/// Markdown: one table for each mapping, one row for each key.
std::string render_reference();

}  // namespace trunkline::config
