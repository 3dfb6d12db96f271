// What a CustomResourceDefinition says beyond the schema of the file: how the texts of some keys look, and
// what holds between keys (in CEL, as x-kubernetes-validations). The gateway checks all of it again, since it
// says more than CEL can.
#pragma once

#include <span>
#include <string_view>

namespace trunkline::config {

/// Of a key's text, or of each text of its list.
struct crd_pattern {
  std::string_view path;  ///< as in the schema
  std::string_view pattern;
};

/// Of the mapping at `path`; "upstreams[]" is the spec itself.
struct crd_rule {
  std::string_view path;
  std::string_view rule;
  std::string_view message;
};

std::span<const crd_pattern> crd_patterns();
std::span<const crd_rule> crd_rules();

}  // namespace trunkline::config
