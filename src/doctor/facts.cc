#include "doctor/facts.h"

#include <array>
#include <charconv>

namespace trunkline::doctor {

int facts::major() const {
  int number = 0;
  std::from_chars(server_version.data(), server_version.data() + server_version.size(), number);
  return number;
}

std::string_view name_of(pooling which) {
  return std::array<std::string_view, 5>{"unknown", "none", "session", "transaction",
                                         "statement"}[static_cast<std::size_t>(which)];
}

std::string middle_of(const facts& known) {
  if (known.trunkline || known.gateway) return "the trunkline at " + known.address;
  if (known.mode == pooling::transaction || known.mode == pooling::statement)
    return "the pooler at " + known.address;
  if (is_proxied(known)) return "the proxy at " + known.address;
  return "between this host and the server behind " + known.address;
}

}  // namespace trunkline::doctor
