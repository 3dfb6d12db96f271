// Objects of the Kubernetes API that are configuration beside the file: PostgresUpstream, PostgresRoute and
// AccessPolicy (docs/kubernetes-objects.md). Each is an entry of one of the file's own lists; they are put
// into them, and read and checked by the same code. An object that is wrong, or is not allowed what it wants,
// is left out, and is told why; the rest is in force. What is wrong with the file stays the file's problem.
// Blocking as load.h is; control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.h"
#include "config/tree.h"

namespace trunkline::config {

enum class object_kind : std::uint8_t { upstream, route, policy };

/// "PostgresUpstream"
std::string_view kind_of(object_kind kind);

struct config_object {
  object_kind kind = object_kind::upstream;
  std::string name_space = {};
  std::string name = {};
  std::string uid = {};
  std::int64_t generation = 0;
  std::int64_t created_seconds = 0;  ///< creationTimestamp, since 1970
  node_ptr spec = {};                ///< tree_of (json_tree.h); null: there is none
};

/// Of one object: whether it is a part of the configuration, and why not.
struct object_verdict {
  enum class reason : std::uint8_t {
    accepted,
    invalid,
    conflicted,         ///< an earlier route has the same match
    ref_not_found,      ///< its upstream is not there
    ref_not_permitted,  ///< its upstream's namespace has not agreed
    secret_not_found,
  };
  object_kind kind = object_kind::upstream;
  std::string name_space = {};
  std::string name = {};
  std::string uid = {};
  std::int64_t generation = 0;
  reason why = reason::accepted;
  /// For a human: short, one line, without secrets; where it is accepted, what is doubtful about it.
  std::string message = {};

  bool accepted() const { return why == reason::accepted; }
};

/// "RefNotFound": as a condition has it.
std::string_view reason_name(object_verdict::reason why);

struct combined {
  /// Problems and warnings are those of the file alone. Wanted Secrets and referenced files are those of
  /// objects that were refused, too.
  loaded all;
  /// One for each object, in the order of the objects; none where the file itself is wrong, since objects
  /// cannot be judged then.
  std::vector<object_verdict> verdicts;
};

combined load_file_with(const std::string& path, std::span<const config_object> objects,
                        const load_options& options = {});
combined load_text_with(std::string_view text, const std::string& name,
                        std::span<const config_object> objects, const load_options& options = {});

}  // namespace trunkline::config
