#include "routing/target_option.h"

#include <algorithm>
#include <vector>

#include "config/enum_names.h"

namespace trunkline::routing {

using config::route_target;

namespace {

constexpr std::string_view option_name = "trunkline.target";
constexpr sqlstate invalid_parameter_value{"22023"};

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// As pg_split_opts of PostgreSQL does.
std::vector<std::string> split(std::string_view options) {
  std::vector<std::string> words;
  bool inside = false;
  for (std::size_t i = 0; i < options.size(); ++i) {
    char c = options[i];
    if (is_blank(c)) {
      inside = false;
      continue;
    }
    if (!inside) words.emplace_back();
    inside = true;
    if (c == '\\') {
      if (++i == options.size()) break;  // nothing follows that it could keep
      c = options[i];
    }
    words.back() += c;
  }
  return words;
}

/// As ParseLongOption of PostgreSQL reads names.
bool is_same_name(std::string_view written, std::string_view name) {
  return std::equal(written.begin(), written.end(), name.begin(), name.end(),
                    [](char a, char b) { return (a == '-' ? '_' : a) == b; });
}

std::optional<std::string> value_of(std::string_view setting, std::string_view name) {
  const auto equals = setting.find('=');
  if (equals == std::string_view::npos || !is_same_name(setting.substr(0, equals), name)) return std::nullopt;
  return std::string(setting.substr(equals + 1));
}

bool allows(route_target route, route_target wish) {
  return route != route_target::replica || wish == route_target::replica;
}

}  // namespace

std::optional<std::string> find_option(std::string_view options, std::string_view name) {
  std::optional<std::string> found;
  const auto words = split(options);
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view setting = words[i];
    if (setting == "-c" && i + 1 < words.size()) {
      setting = words[++i];
    } else if (setting.starts_with("-c") || setting.starts_with("--")) {
      setting.remove_prefix(2);
    } else {
      continue;
    }
    if (auto value = value_of(setting, name)) found = std::move(value);
  }
  return found;
}

result<route_target> target_of(const config::route& route, const protocol::startup_message& startup) {
  std::optional<std::string> wish;
  if (const auto options = startup.find("options")) wish = find_option(*options, option_name);
  if (const auto direct = startup.find(option_name)) wish = std::string(*direct);
  if (!wish) return route.target;
  const auto known = std::find_if(config::route_targets.begin(), config::route_targets.end(),
                                  [&](const auto& each) { return each.name == *wish; });
  if (known == config::route_targets.end()) {
    return fail({.source = error_source::client,
                 .reaction = error_reaction::reject,
                 .code = invalid_parameter_value,
                 .message = "invalid value for parameter \"trunkline.target\"",
                 .hint = "It is primary, replica, preferReplica or any."});
  }
  if (allows(route.target, known->value)) return known->value;
  return fail({.source = error_source::client,
               .reaction = error_reaction::reject,
               .code = sqlstates::invalid_authorization,
               .message = "route \"" + route.name + "\" leads to replicas only",
               .hint = "Leave trunkline.target out, or set it to replica."});
}

}  // namespace trunkline::routing
