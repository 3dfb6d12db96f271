// How things are named in Kubernetes: such names become a part of a path, and of a selector. Pure; any
// thread.
#pragma once

#include <string_view>

namespace trunkline::config {

/// A namespace, a Service: small letters, digits and '-', at most 63 (RFC 1123).
bool is_kubernetes_label(std::string_view text);
/// Most other objects: the same with dots, at most 253.
bool is_kubernetes_name(std::string_view text);
/// Of a Secret's data: letters, digits, '-', '_' and '.', at most 253.
bool is_secret_key(std::string_view text);

}  // namespace trunkline::config
