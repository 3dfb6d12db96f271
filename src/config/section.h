// Reading one mapping of the tree by the schema: kinds, ranges, defaults, environment variables, files. Every
// wrong value is written down and replaced by its default, so that one pass finds all problems. Used by one
// load at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/enum_names.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/tree.h"

namespace trunkline::config {

/// What one load knows and finds. Owned by the load; sections refer to it.
class load_state {
 public:
  load_state(std::string file, load_options options);

  void problem(place where, std::string key, std::string text, std::string expected);
  void warning(place where, std::string key, std::string text, std::string expected);
  /// Nothing that was read at `key_path` or below was wrong: a check across keys may rely on it.
  bool sound(std::string_view key_path) const;
  /// From here on, problems come from checks across keys and do not make anything unsound: each check then
  /// sees all.
  void reading_is_done() { reading_ = false; }

  /// `${NAME}` resolved; a `$${` stands for `${`. Nothing, with the problem written down, where one is not
  /// set.
  std::optional<std::string> expand(const node& scalar, const std::string& key);
  /// Absolute, and noted as referenced; a problem where it cannot be read.
  std::string resolve_file(place where, const std::string& key, const std::string& path);
  /// Absolute, against the configuration's folder.
  std::string absolute(const std::string& path) const;
  /// The content without its last line end; a problem where it is empty, too large or not one line.
  secret_text read_secret(place where, const std::string& key, const std::string& path);
  /// The content, whatever bytes; a problem where there are too few or too many.
  secret_text read_key(place where, const std::string& key, const std::string& path);

  const std::string& file() const { return file_; }
  const load_options& options() const { return options_; }
  std::vector<config::problem> problems;
  std::vector<config::problem> warnings;
  std::vector<std::string> referenced;

 private:
  std::string file_;
  std::string folder_;
  load_options options_;
  bool reading_ = true;
  std::set<std::string, std::less<>> broken_;
};

/// The value as a message may show it: short, on one line.
std::string quote(std::string_view text);

class section {
 public:
  /// `from` null: the mapping is left out, everything has its default and nothing is missing.
  section(load_state& state, const node* from, std::string schema_path, std::string key_path);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  bool present() const { return from_ != nullptr; }
  std::string path_of(std::string_view key) const;

  std::string text(std::string_view key);
  std::vector<std::string> texts(std::string_view key);
  bool boolean(std::string_view key);
  std::int64_t integer(std::string_view key);
  milliseconds duration(std::string_view key);
  std::size_t size(std::string_view key);
  /// Absolute; it need not be there.
  std::string folder(std::string_view key);
  std::string url(std::string_view key);
  /// The same of a URL that is a secret: from `url` or `urlFile`, of which one is needed. The second is the
  /// file's path.
  std::pair<secret_text, std::string> secret_url();
  /// 0 for `auto`. `what` is what a wrong value is not.
  unsigned workers(std::string_view key, std::string_view what = "a number of workers");
  std::vector<network_range> ranges(std::string_view key);
  std::optional<address> listen_address(std::string_view key);
  std::vector<address> endpoints(std::string_view key);
  std::string file(std::string_view key);
  /// What the file `key` holds, and its path.
  std::pair<secret_text, std::string> key_file(std::string_view key);
  /// From `password` or `passwordFile`; both at once is a problem. The second is the file's path.
  std::pair<secret_text, std::string> password();
  std::vector<std::pair<std::string, std::string>> parameters(std::string_view key);
  /// What was read at `key` is wrong in a way that the schema does not tell.
  void refuse(std::string_view key, std::string text, std::string expected) {
    state_->problem(has(key) ? find(key)->where : from_->where, path_of(key), std::move(text),
                    std::move(expected));
  }
  section child(std::string_view key);
  std::vector<section> children(std::string_view key);

  template <class Names>
  auto choice(std::string_view key, const Names& names) -> decltype(names[0].value) {
    const auto word = choice_word(key);
    for (const auto& entry : names) {
      if (entry.name == word) return entry.value;
    }
    return names[0].value;
  }
  /// For a choice with a single value, or one whose word is all that counts.
  std::string choice_word(std::string_view key);

 private:
  struct scalar {
    std::string text;
    std::string shown;  ///< as the file has it, before ${…}
    place where;
    bool plain = true;  ///< not quoted, or from the environment
    std::string key;    ///< its path, with the index where it stands in a list
  };

  const node* find(std::string_view key) const;
  const schema_key& describe(std::string_view key) const;
  void check_keys();
  void check_one_key(const node_entry& entry, const std::vector<const schema_key*>& known);
  void wrong(place where, std::string key_path, const schema_key& key, std::string text);
  std::optional<scalar> read_scalar(const node& value, const schema_key& key, const std::string& key_path);
  /// The value, or the default of the schema, or nothing.
  std::optional<scalar> scalar_of(std::string_view key);
  std::vector<scalar> scalars_of(std::string_view key, bool one_is_enough);

  load_state* state_;
  const node* from_;
  std::string schema_path_;
  std::string key_path_;
};

}  // namespace trunkline::config
