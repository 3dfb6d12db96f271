// Latency, throughput and findings over time as a drawing, and the whole report as one page that needs
// nothing else. Pure; any thread.
#pragma once

#include <string>

#include "storm/storm.h"

namespace trunkline::storm {

/// One SVG document.
std::string render_svg(const report& of);
/// One HTML document, without scripts, styles or pictures from elsewhere.
std::string render_html(const report& of);

}  // namespace trunkline::storm
