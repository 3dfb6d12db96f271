// The key `kubernetes` of a file alone: whoever is to bring objects and Secrets for the rest must know first
// where they are. Blocking; control thread.
#pragma once

#include <optional>
#include <string>

#include "config/kubernetes.h"

namespace trunkline::config {

struct kubernetes_section {
  kubernetes_access access = {};
  kubernetes_presence presence = {};
  bool operator==(const kubernetes_section&) const = default;
};

/// Nothing where the file cannot be read, or the key is wrong: what is, `load_file` tells.
std::optional<kubernetes_section> read_kubernetes_section(const std::string& path);

}  // namespace trunkline::config
