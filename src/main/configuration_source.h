// Where the control thread gets configurations from: a YAML file, or a pgbouncer.ini. Owner: `serve` or
// `pgbouncer`; control thread only.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "config/load.h"

namespace trunkline::main {

class configuration_source {
 public:
  virtual ~configuration_source() = default;

  /// Reads it anew; reads files.
  virtual config::loaded load(std::uint64_t generation) = 0;
  /// The console's SET: what the next `load_changed` differs in. An error where nothing can be set, or not
  /// that.
  virtual result<> set(const std::string& key, const std::string& value) = 0;
  /// As `load`, but with what was `set` since.
  virtual config::loaded load_changed(std::uint64_t generation) = 0;
  /// A change of its files is a reload.
  virtual bool is_watched() const = 0;
};

/// The file of `serve -c`.
class yaml_source final : public configuration_source {
 public:
  explicit yaml_source(std::string file) : file_(std::move(file)) {}

  config::loaded load(std::uint64_t generation) override {
    config::load_options options;
    options.generation = generation;
    return config::load_file(file_, options);
  }
  result<> set(const std::string& key, const std::string& value) override;
  config::loaded load_changed(std::uint64_t generation) override { return load(generation); }
  bool is_watched() const override { return true; }

 private:
  std::string file_;
};

}  // namespace trunkline::main
