#include "main/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "config/without_secrets.h"
#include "grants/token_file.h"
#include "k8s/api_access.h"
#include "main/options.h"
#include "session/deployment.h"

namespace trunkline::main {

void print_findings(const config::loaded& from) {
  for (const auto& one : from.problems)
    fmt::print(stderr, "{}\n", one.render());
  for (const auto& one : from.warnings)
    fmt::print(stderr, "warning: {}\n", one.render());
}

int check(const std::string& config_file) {
  const auto loaded = config::load_file(config_file);
  print_findings(loaded);
  if (!loaded.value) return exit_usage;
  // What serve would refuse, check refuses: certificates that do not fit their keys, verifier files that are
  // wrong. Secrets of Kubernetes are not looked up here.
  const auto known = std::make_shared<const config::settings>(config::without_secrets(*loaded.value));
  const auto ready = session::build_deployment(known, std::make_shared<tls::ticket_keys>());
  if (!ready) {
    fmt::print(stderr, "{}: {}\n", config_file, ready.error().message);
    return exit_usage;
  }
  if (const auto& how = loaded.value->kubernetes; !how.kubeconfig_file.empty()) {
    if (const auto read = k8s::read_access(how, k8s::environment_variable); !read) {
      fmt::print(stderr, "{}: kubernetes.kubeconfigFile: {}\n", config_file, read.error().message);
      return exit_usage;
    }
  }
  if (const auto& tokens = loaded.value->admin.tokens_file; !tokens.empty()) {
    if (const auto read = grants::token_file::read(tokens); !read) {
      fmt::print(stderr, "{}: admin.tokensFile: {}\n", config_file, read.error().message);
      return exit_usage;
    }
  }
  for (const auto& warning : (*ready)->warnings)
    fmt::print(stderr, "warning: {}\n", warning);
  fmt::print("{}", config::render_yaml(*loaded.value));
  return std::fflush(stdout) == 0 ? exit_good : exit_failure;
}

}  // namespace trunkline::main
