// Every key of the configuration in one table: what it is called, what it holds, its default, and a sentence
// for a human. The reader (section.h) validates against it, unknown keys are compared with it, and the tables
// of docs/configuration.md are printed from it. Built once, immutable afterwards; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
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
  secret_key,  ///< a part of a Secret of Kubernetes
  tls_secret,  ///< a Secret of type kubernetes.io/tls: certificate and private key
  parameters,  ///< free keys with texts as values
  workers,     ///< `auto` or a whole number
  later,       ///< known, and refused by this version
};

struct schema_key {
  std::string path;  ///< "listeners[].tls.mode"
  value_kind kind = value_kind::text;
  std::string doc;
  bool required = false;
  std::string default_text = {};               ///< as one would write it; used where the key is left out
  std::string default_note = {};               ///< for the reader, where the default depends on other keys
  std::vector<std::string> choices = {};       ///< of a choice
  std::vector<std::string> later = {};         ///< choices that a later version will know
  std::vector<std::string> file_choices = {};  ///< of these, what an object of Kubernetes may not choose
  std::string secret_default = {};             ///< of a secret_key: which of the Secret's data
  bool file_only = false;                      ///< no object of Kubernetes has it
  std::int64_t least = 0;                      ///< of an integer, or of a duration in milliseconds
  std::int64_t most = std::numeric_limits<std::int64_t>::max();

  /// "mode"
  std::string_view leaf() const;
  /// "listeners[].tls"; empty for a key of the top level.
  std::string_view parent() const;
};

const std::vector<schema_key>& schema();

/// What objects of Kubernetes may say too. They name no files, folders or environment variables of the
/// gateway's.
bool is_for_objects(const schema_key& key);

/// Null where there is none.
const schema_key* find_key(std::string_view path);
/// The keys of one mapping, in the order of the table.
const std::vector<const schema_key*>& keys_of(std::string_view parent);

/// The keys of one mapping by their leaves.
using schema_leaves = std::unordered_map<std::string_view, const schema_key*>;
const schema_leaves& leaves_of(std::string_view parent);

/// Below which path find_key() and keys_of() have what stands in a reference to a Secret.
inline constexpr std::string_view secret_key_path = "*Secret";
inline constexpr std::string_view tls_secret_path = "certSecret";

/// "a duration such as …": what the messages and the docs say is expected.
std::string expectation(const schema_key& key);

/// "a, b or c"
std::string enumerate(const std::vector<std::string>& words);

}  // namespace trunkline::config
