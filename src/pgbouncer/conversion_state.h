// What one conversion knows and has found so far; its parts (convert_*.cc) fill it one after the other.
// Owner: convert().
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "pgbouncer/convert.h"
#include "pgbouncer/userlist.h"
#include "pgbouncer/yaml_writer.h"

namespace trunkline::pgbouncer {

enum class auth_kind : std::uint8_t { trust, any, scram };

struct listener_plan {
  std::string name;
  config::address address;
};

struct conversion_state {
  const ini_settings& from;
  const surroundings& here;
  conversion made = {};
  std::vector<config::problem> problems = {};
  yaml_writer out = {};
  std::vector<listener_plan> listeners = {};
  userlist users = {};         ///< of auth_file
  std::string auth_file = {};  ///< absolute; empty: none
  auth_kind auth = auth_kind::scram;
  std::set<std::string, std::less<>> names = {};  ///< of routes and upstreams that are taken

  const given_values& globals() const { return from.globals; }

  void tell(fate why, const place& where, std::string key, std::string text);
  /// About a setting that was given; its place is known.
  void tell(fate why, const given_values& of, std::string_view key, std::string text);
  void problem(const given_values& of, std::string_view key, std::string text, std::string expected);
  /// The value where it is one of `words`; else the first of them, and a problem.
  std::string word(const given_values& of, std::string_view key,
                   std::initializer_list<std::string_view> words);
  /// Inside the range of our key; a note where it was not.
  std::int64_t bounded(const given_values& of, std::string_view key, std::string_view our_key,
                       std::int64_t value);
  std::string duration(const given_values& of, std::string_view key, std::string_view our_key,
                       std::chrono::milliseconds value);
  /// Of letters, digits, '-', '_' and '.', not taken before.
  std::string new_name(std::string_view wish);
  /// The name of the environment variable that stands for `secret`.
  std::string variable(std::string_view wish, const secret_text& secret);
  std::string absolute(const std::string& path) const;
};

/// This version's configuration takes that key.
bool is_taken(std::string_view our_key);
/// The key takes that word.
bool takes_word(std::string_view our_key, std::string_view word);
/// Of a database or a peer; a problem or a note where it is none.
std::optional<config::address> endpoint_of(conversion_state& state, const named_values& owner,
                                           const std::string& host, std::uint16_t port);
/// As a pattern that fits nothing but it (globs have no escape) or what differs in such a character.
std::string as_pattern(std::string_view name);

// In this order.
void tell_of_settings(conversion_state& state);
void convert_listeners(conversion_state& state);
void read_users(conversion_state& state);
void convert_databases(conversion_state& state);
void convert_rest(conversion_state& state);
void convert_peers(conversion_state& state);

}  // namespace trunkline::pgbouncer
