#include "sql/setting_names.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "base/limits.h"

namespace trunkline::sql {

namespace {

// The server sets them anew when a transaction begins.
constexpr std::array<std::string_view, 3> of_transaction{"transaction_deferrable", "transaction_isolation",
                                                         "transaction_read_only"};

}  // namespace

void touch_setting(effects& out, std::string name, reach how_far) {
  std::ranges::transform(name, name.begin(), [](char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  if (name.empty() || name == "search_path") out.add(effect::path);
  if (how_far == reach::transaction) return;
  if (name.empty()) return out.add({effect::all_settings, effect::inspect});
  if (name == "role" || name == "session_authorization") return out.add(effect::role);
  if (name == "seed") return out.add({effect::seed, effect::inspect});
  if (std::ranges::find(of_transaction, name) != of_transaction.end()) return;
  if (std::ranges::find(out.settings, name) != out.settings.end()) return;
  if (name.size() > limits::sql_setting_bytes || out.settings.size() >= limits::sql_settings)
    return out.add({effect::all_settings, effect::path, effect::inspect});
  out.settings.push_back(std::move(name));
}

}  // namespace trunkline::sql
