#include "session/start_settings.h"

#include <algorithm>
#include <vector>

namespace trunkline::session {

namespace {

constexpr std::size_t name_bytes = 63;

/// As the server splits it: at spaces that no backslash stands before.
std::vector<std::string> words_of(std::string_view options) {
  std::vector<std::string> words;
  bool within = false;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const char each = options[i];
    const bool space = each == ' ' || (each >= '\t' && each <= '\r');
    if (space) {
      within = false;
      continue;
    }
    if (!within) words.emplace_back();
    within = true;
    const bool escaped = each == '\\' && i + 1 < options.size();
    words.back() += escaped ? options[++i] : each;
  }
  return words;
}

error not_carried(const std::string& word) {
  return {.source = error_source::client,
          .code = sqlstates::feature_not_supported,
          .message = "the start-up option \"" + word + "\" cannot be carried with pooling",
          .hint = "Options of the form -c name=value can."};
}

result<void> take_options(std::string_view options, pool::setting_map& into) {
  const auto words = words_of(options);
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string pair;
    if (words[i] == "-c" && i + 1 < words.size()) {
      pair = words[++i];
    } else if (words[i].starts_with("-c") || words[i].starts_with("--")) {
      pair = words[i].substr(2);
    }
    const auto at = pair.find('=');
    if (at == std::string::npos || at == 0) return std::unexpected(not_carried(words[i]));
    std::string name = pool::folded(pair.substr(0, at));
    std::replace(name.begin(), name.end(), '-', '_');
    into.set(name, pair.substr(at + 1));
  }
  return {};
}

}  // namespace

std::string clean_application_name(std::string_view name) {
  std::string out(name.substr(0, name_bytes));
  for (char& each : out)
    if (each < 32 || each > 126) each = '?';
  return out;
}

result<pool::setting_map> start_settings(const protocol::startup_message& startup,
                                         const std::vector<std::pair<std::string, std::string>>& operators_own) {
  pool::setting_map made;
  for (const auto& each : startup.parameters) {
    if (each.name == "options") {
      if (auto taken = take_options(each.value, made); !taken)
        return std::unexpected(std::move(taken.error()));
      continue;
    }
    if (each.name == "user" || each.name == "database" || each.name == "replication" ||
        each.name.starts_with("_pq_."))
      continue;
    made.set(pool::folded(each.name), each.value);
  }
  for (const auto& [name, value] : operators_own)
    made.erase(pool::folded(name));
  return made;
}

}  // namespace trunkline::session
