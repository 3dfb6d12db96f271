// The CustomResourceDefinitions of the objects that are configuration (objects.h), made from the schema of
// the file, so that both say the same. deploy/crds holds what this prints (a test compares the two).
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "config/objects.h"

namespace trunkline::config {

/// For apiextensions.k8s.io/v1, Kubernetes 1.26 and later.
nlohmann::ordered_json definition_of(object_kind kind);
/// All of them as YAML documents, as they stand in deploy/crds.
std::string render_crds();

}  // namespace trunkline::config
