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
  /// The path of the file that holds the Secret's value, noted as referenced and wanted; a problem where it
  /// cannot be had.
  std::string resolve_secret(place where, const std::string& key, const secret_reference& wanted);
  /// The content without its last line end; a problem where it is empty, too large or not one line.
  secret_text read_secret(place where, const std::string& key, const std::string& path);
  /// The content, whatever bytes; a problem where there are too few or too many.
  secret_text read_key(place where, const std::string& key, const std::string& path);

  const std::string& file() const { return file_; }
  const load_options& options() const { return options_; }
  std::vector<config::problem> problems;
  std::vector<config::problem> warnings;
  std::vector<std::string> referenced;
  std::map<secret_reference, std::string> secrets;  ///< that are wanted, and the paths of their files
  bool has_objects = false;                         ///< routes and upstreams may be objects of Kubernetes

 private:
  /// Nothing may be read there: the Secret is not looked up, or is not there.
  static bool is_placeholder(const std::string& path);
  /// "Secret NAMESPACE/NAME, key KEY" where it is one.
  std::string shown(const std::string& path) const;

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
  /// `from` null: the mapping is left out, everything has its default and nothing is missing. `name_space`:
  /// of the object of Kubernetes that it is a part of; empty: of the file.
  section(load_state& state, const node* from, std::string schema_path, std::string key_path,
          std::string_view name_space = {});

  bool has(std::string_view key) const { return find(key) != nullptr; }
  bool present() const { return from_ != nullptr; }
  std::string path_of(std::string_view key) const;
  bool of_object() const { return !name_space_.empty(); }
  /// Of the object that this is a part of; empty: it stands in the file.
  std::string name_space() const { return std::string(name_space_); }
  const load_state& state() const { return *state_; }

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
  /// The same, from keys STEM + "File" or STEM + "Secret", of which one at most may be there.
  std::string file_or_secret(std::string_view stem);
  /// Certificate and private key, from certFile and keyFile or certSecret.
  std::pair<std::string, std::string> certificate_files();
  /// Of an object: its own namespace, whatever `key` says; another one is a problem.
  std::string namespace_text(std::string_view key);
  /// What the file `key` holds, and its path.
  std::pair<secret_text, std::string> key_file(std::string_view key);
  /// From `password`, `passwordFile` or `passwordSecret`; two at once are a problem. The second is the file's
  /// path.
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
    std::string key;    ///< its path, with the index where it stands in a list; none of a default
  };

  const node* find(std::string_view key) const;
  const schema_key& describe(std::string_view key) const;
  void check_keys();
  bool may_lack(const schema_key& key) const;
  bool is_object_name(std::string_view text) const;
  void check_for_object(const node_entry& entry, const schema_key& key);
  /// From what `key` says; empty names where it does not, with the problem written down.
  secret_reference reference(std::string_view key);
  void check_one_key(const node_entry& entry);
  void wrong(place where, std::string key_path, const schema_key& key, std::string text);
  std::optional<scalar> read_scalar(const node& value, const schema_key& key, const std::string& key_path);
  /// The value, or the default of the schema, or nothing.
  std::optional<scalar> scalar_of(std::string_view key);
  std::vector<scalar> scalars_of(std::string_view key, bool one_is_enough);

  load_state* state_;
  const node* from_;
  std::string schema_path_;
  std::string key_path_;
  std::string_view name_space_;
  const schema_leaves* known_;
};

}  // namespace trunkline::config
