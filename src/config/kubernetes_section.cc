#include "config/kubernetes_section.h"

#include "config/build_kubernetes.h"
#include "config/load_parts.h"
#include "config/section.h"

namespace trunkline::config {

std::optional<kubernetes_section> read_kubernetes_section(const std::string& path) {
  const auto text = read_configuration(path);
  if (!text) return std::nullopt;
  const auto tree = parse_tree(*text);
  if (!tree) return std::nullopt;
  load_state state(path, {});
  const node* const there = *tree == nullptr ? nullptr : (*tree)->find("kubernetes");
  section from(state, there, "kubernetes", "kubernetes");
  kubernetes_section made{.access = build_kubernetes_access(from),
                          .presence = build_kubernetes_presence(from)};
  if (!state.problems.empty()) return std::nullopt;
  return made;
}

}  // namespace trunkline::config
