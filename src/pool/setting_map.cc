#include "pool/setting_map.h"

#include <algorithm>

namespace trunkline::pool {

namespace {

auto place_of(auto& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const setting_map::entry& each, std::string_view wanted) { return each.first < wanted; });
}

/// `app.user` is two identifiers to the grammar.
std::string quote_name(std::string_view name) {
  std::string out = "\"";
  for (const char each : name) {
    if (each == '"') out += '"';
    out += each;
    if (each == '.') out.replace(out.size() - 1, 1, "\".\"");
  }
  return out + '"';
}

}  // namespace

const std::string* setting_map::find(std::string_view name) const {
  const auto at = place_of(entries_, name);
  return at != entries_.end() && at->first == name ? &at->second : nullptr;
}

void setting_map::set(std::string_view name, std::string_view value) {
  const auto at = place_of(entries_, name);
  if (at != entries_.end() && at->first == name) {
    at->second = value;
  } else {
    entries_.emplace(at, std::string(name), std::string(value));
  }
}

void setting_map::erase(std::string_view name) {
  const auto at = place_of(entries_, name);
  if (at != entries_.end() && at->first == name) entries_.erase(at);
}

std::size_t setting_map::bytes() const {
  std::size_t total = 0;
  for (const auto& [name, value] : entries_)
    total += name.size() + value.size();
  return total;
}

std::string setting_map::packed() const {
  std::string text;
  for (const auto& [name, value] : entries_)
    text.append(name).append(1, '\0').append(value).append(1, '\0');
  return text;
}

setting_map setting_map::unpacked(std::string_view text) {
  setting_map made;
  const auto take = [&text] {
    const auto end = text.find('\0');
    std::string part(text.substr(0, end));
    text.remove_prefix(part.size() + 1);
    return part;
  };
  while (!text.empty()) {
    std::string name = take();
    made.entries_.emplace_back(std::move(name), take());
  }
  return made;
}

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char each : name) {
    if (each == '"') out += each;
    out += each;
  }
  return out + '"';
}

std::string quote_literal(std::string_view text) {
  std::string out = "E'";
  for (const char each : text) {
    if (each == '\'' || each == '\\') out += each;
    out += each;
  }
  return out + '\'';
}

std::string folded(std::string_view name) {
  std::string out(name);
  for (char& each : out)
    if (each >= 'A' && each <= 'Z') each = static_cast<char>(each - 'A' + 'a');
  return out;
}

std::string settings_query(const setting_map& from, const setting_map& to) {
  std::string resets;
  std::string sets;
  // The role decides what else may be set: it goes back first and changes last.
  for (const auto& [name, value] : from.entries()) {
    if (to.find(name) != nullptr) continue;
    if (name == "role") {
      resets.insert(0, "RESET role;");
    } else {
      resets += "RESET " + quote_name(name) + ';';
    }
  }
  std::string role;
  for (const auto& [name, value] : to.entries()) {
    if (const auto* now = from.find(name); now != nullptr && *now == value) continue;
    std::string call =
        "pg_catalog.set_config(" + quote_literal(name) + ',' + quote_literal(value) + ",false)";
    if (name == "role") {
      role = std::move(call);
    } else {
      sets += (sets.empty() ? "" : ",") + call;
    }
  }
  if (!role.empty()) sets += (sets.empty() ? "" : ",") + role;
  return resets + (sets.empty() ? "" : "SELECT " + sets);
}

}  // namespace trunkline::pool
