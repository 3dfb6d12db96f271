// Any text as a configuration: it is refused with a place, or it loads, and then what is printed loads again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace trunkline::config;
  load_options options;
  options.check_files = false;
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "EMPTY") return "";
    if (name == "SET") return "value";
    return std::nullopt;
  };
  const auto made = load_text({reinterpret_cast<const char*>(data), size}, "fuzz.yaml", options);
  if ((made.value == nullptr) == made.problems.empty()) std::abort();
  for (const auto& one : made.problems) {
    if (one.text.empty() || one.line < 0) std::abort();
  }
  if (!made.value) return 0;
  auto shown = *made.value;
  // Secrets are not printed, so they cannot be read back.
  for (auto& route : shown.routes) {
    if (route.login) route.login->usual.password = {};
    if (route.auth.query) route.auth.query->password = {};
    if (route.auth.method != auth_method::server) return 0;
  }
  const auto again = load_text(render_yaml(shown), "fuzz.yaml", options);
  if (!again.value || !(*again.value == shown)) std::abort();
  return 0;
}
