// Where the control thread gets configurations from: a YAML file, alone or with objects of Kubernetes, or a
// pgbouncer.ini. Owner: `serve` or `pgbouncer`; control thread only, but for what is marked.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "config/load.h"
#include "session/objects_view.h"

namespace trunkline::main {

class configuration_source {
 public:
  using moment = std::chrono::steady_clock::time_point;

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

  // Where something else than files may change:
  /// When it wants to be loaded anew; nothing: not now.
  virtual std::optional<moment> due() const { return std::nullopt; }
  /// What became of the last load: it is in force, or what was before it still is.
  virtual void settled(bool /*in_force*/) {}
  /// About once a second.
  virtual void tick() {}
  /// Nothing that it does is for others to see from now on. Waits, but not for long.
  virtual void stop() {}
  /// Any thread.
  virtual session::objects_view seen() const { return {}; }
};

}  // namespace trunkline::main
