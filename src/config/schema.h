// Every key of the configuration in one table: what it is called, what it holds, its default, and a sentence
// for a human. The reader (section.h) validates against it, unknown keys are compared with it, and the tables
// of docs/configuration.md are printed from it. Built once, immutable afterwards; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

enum class value_kind {
  mapping,
  mappings,  ///< a list of mappings
  name,      ///< of a listener, route or upstream
  text,      ///< any text that is not empty
  texts,     ///< one text or a list of them: globs
  integer,
  boolean,
  duration,
  size,  ///< bytes
  choice,
  listen_address,
  endpoints,   ///< a list of addresses of servers
  ranges,      ///< one CIDR range or a list of them
  folder,      ///< made where it is not there; relative to the configuration's folder
  url,         ///< http:// or https://
  file,        ///< a readable file; relative to the configuration's folder
  secret,      ///< only as ${NAME} of an environment variable
  parameters,  ///< free keys with texts as values
  workers,     ///< `auto` or a whole number
  later,       ///< known, and refused by this version
};

struct schema_key {
  std::string path;  ///< "listeners[].tls.mode"
  value_kind kind = value_kind::text;
  std::string doc;
  bool required = false;
  std::string default_text = {};          ///< as one would write it; used where the key is left out
  std::string default_note = {};          ///< for the reader, where the default depends on other keys
  std::vector<std::string> choices = {};  ///< of a choice
  std::vector<std::string> later = {};    ///< choices that a later version will know
  std::int64_t least = 0;                 ///< of an integer, or of a duration in milliseconds
  std::int64_t most = std::numeric_limits<std::int64_t>::max();

  /// "mode"
  std::string_view leaf() const;
  /// "listeners[].tls"; empty for a key of the top level.
  std::string_view parent() const;
};

const std::vector<schema_key>& schema();

/// Null where there is none.
const schema_key* find_key(std::string_view path);
/// The keys of one mapping, in the order of the table.
std::vector<const schema_key*> keys_of(std::string_view parent);

/// "a duration such as …": what the messages and the docs say is expected.
std::string expectation(const schema_key& key);

/// "a, b or c"
std::string enumerate(const std::vector<std::string>& words);

}  // namespace trunkline::config
