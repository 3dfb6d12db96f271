// Settings of a session that differ from what its server connection had after the login: names in lower case,
// values as `current_setting` shows them. Few, sorted, compared on every lease. Pure; no thread of its own.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trunkline::pool {

class setting_map {
 public:
  using entry = std::pair<std::string, std::string>;

  /// Null: it is as after the login.
  const std::string* find(std::string_view name) const;
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  void clear() { entries_.clear(); }
  bool empty() const { return entries_.empty(); }
  const std::vector<entry>& entries() const { return entries_; }
  /// Of names and values, for the session's bound.
  std::size_t bytes() const;
  bool operator==(const setting_map&) const = default;
  /// All of it as one text, for those who only keep it or compare it; and back. No setting has a NUL in it.
  std::string packed() const;
  static setting_map unpacked(std::string_view text);

 private:
  std::vector<entry> entries_;
};

/// One Query that makes the settings of `from` those of `to`; empty: they are the same.
std::string settings_query(const setting_map& from, const setting_map& to);

/// As PostgreSQL compares names of settings: ASCII letters without case.
std::string folded(std::string_view name);

/// Quoted as one identifier.
std::string quote_identifier(std::string_view name);
/// Quoted as a literal, whatever standard_conforming_strings says.
std::string quote_literal(std::string_view text);

}  // namespace trunkline::pool
