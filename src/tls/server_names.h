// Which of several entries a server name selects. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::tls {

/// ASCII lower case, without a trailing dot: DNS names compare so (RFC 4343).
std::string normal_name(std::string_view name);

class server_names {
 public:
  /// Patterns: a name, or "*.example.org", whose star stands for exactly one label. Earlier additions win.
  void add(std::string_view pattern, std::size_t entry);
  /// An exact name wins over a wildcard. Nothing: no pattern fits.
  std::optional<std::size_t> find(std::string_view name) const;

 private:
  struct item {
    std::string name;  // normal; for a wildcard, what follows the star, with its dot
    std::size_t entry;
  };
  std::vector<item> exact_;
  std::vector<item> wildcards_;
};

}  // namespace trunkline::tls
