// From YAML to a snapshot: parse, validate, publish. All problems of a file are collected, not only the
// first. Reads the file and the files it names (passwords; the others are only checked for being readable);
// never connects to anything. Blocking; call it from the control thread. No exception leaves.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/settings.h"

namespace trunkline::config {

/// One thing that is wrong (or, as a warning, doubtful), at its place. Never contains a secret.
struct problem {
  std::string file;
  int line = 0;  ///< from 1; 0: the file as a whole
  int column = 0;
  std::string key;         ///< "listeners[0].tls.mode"; empty: no key to name
  std::string text;        ///< what is wrong
  std::string expected;    ///< what would be right; may be empty
  bool of_secret = false;  ///< a Secret cannot be had

  /// `file:line:col: key: text (expected …)`
  std::string render() const;
};

struct load_options {
  std::uint64_t generation = 1;
  /// Gives the value of an environment variable. Default: getenv.
  std::function<std::optional<std::string>(const std::string&)> environment = {};
  /// Off for tests and fuzzing: then files need not exist and passwords are not read.
  bool check_files = true;
  /// The path of a file that holds the Secret's value, the same as long as there is one; or why there is
  /// none, for a human. Left out: Secrets are named and not looked up, and nothing can log in with them.
  std::function<result<std::string>(const secret_reference&)> secret = {};
  /// What other rooms alone can say of what an object has become, such as that its Secret holds no
  /// certificate; empty: nothing is wrong. Asked once for each upstream and route that is an object, by its
  /// index in the settings.
  std::function<std::string(const settings&, bool is_route, std::size_t index)> examine = {};
};

struct loaded {
  snapshot value;  ///< null where `problems` is not empty
  std::vector<problem> problems;
  std::vector<problem> warnings;
  /// The configuration file and every file it names, as absolute paths, each once: what a watch looks at.
  /// Filled as far as known even when the file is wrong, so that mending a named file is noticed too.
  std::vector<std::string> referenced_files;
  std::vector<secret_reference> wanted_secrets;  ///< each once, whether they are there or not
};

/// At most 1 MiB. Relative paths resolve against the folder of `path`.
loaded load_file(const std::string& path, const load_options& options = {});
/// `name` is used in messages; relative paths resolve against its folder.
loaded load_text(std::string_view text, const std::string& name, const load_options& options = {});

/// Every file that `value` names and that may change under it, absolute, each once, the configuration first.
std::vector<std::string> referenced_files(const settings& value);

/// The effective configuration as YAML: defaults filled in, secrets as `<redacted>`.
std::string render_yaml(const settings& value);
/// The same as one JSON object: durations as the file has them ("30s", or the number 0), counts as numbers.
std::string render_json(const settings& value);

}  // namespace trunkline::config
