#include "k8s/own_namespace.h"

#include <fstream>

namespace trunkline::k8s {

std::string own_namespace(const config::kubernetes_presence& how, const char* file) {
  if (!how.name_space.empty()) return how.name_space;
  std::string said;
  std::ifstream from(file);
  from >> said;  // up to whatever ends the line
  return said;
}

}  // namespace trunkline::k8s
