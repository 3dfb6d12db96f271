#include "routing/route_match.h"

#include <algorithm>
#include <string>
#include <vector>

#include "config/glob.h"

namespace trunkline::routing {
namespace {

using glob_rule = bool (*)(std::string_view pattern, std::string_view text);

bool fits_globs(const std::vector<std::string>& patterns, const std::optional<std::string_view>& value,
                glob_rule rule) {
  if (patterns.empty()) return true;
  return value && std::ranges::any_of(patterns, [&](const auto& pattern) { return rule(pattern, *value); });
}

bool fits_ranges(const std::vector<config::network_range>& ranges,
                 const std::optional<config::ip_address>& source) {
  if (ranges.empty()) return true;
  return source && std::ranges::any_of(ranges, [&](const auto& range) { return range.contains(*source); });
}

}  // namespace

bool fits(const config::route_match& match, const connection_facts& facts) {
  return fits_globs(match.listeners, facts.listener, config::glob_match) &&
         fits_globs(match.server_names, facts.server_name, config::glob_match_ignoring_case) &&
         fits_globs(match.databases, facts.database, config::glob_match) &&
         fits_globs(match.users, facts.user, config::glob_match) && fits_ranges(match.sources, facts.source);
}

const config::route* find_route(const config::settings& settings, const connection_facts& facts) {
  const auto found = std::ranges::find_if(
      settings.routes, [&](const config::route& route) { return fits(route.match, facts); });
  return found == settings.routes.end() ? nullptr : &*found;
}

}  // namespace trunkline::routing
