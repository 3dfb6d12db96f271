// The access policies of one configuration, compiled: which of them decides for a client. Built at load,
// immutable; any thread. A decision allocates nothing and takes some microseconds at most with 1,000 policies
// (policy_set_bench.cc).
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/policy.h"
#include "auth/identity.h"
#include "base/limits.h"
#include "base/result.h"
#include "config/settings.h"

namespace trunkline::access {

/// Who asks for what.
struct question {
  const auth::identity* who = nullptr;  ///< null: the user is all that is known
  std::string_view user;                ///< that it asks for
  std::string_view database;            ///< the same
  const config::route* route = nullptr;
  std::size_t route_index = 0;               ///< of the same settings that the set was built from
  std::optional<config::ip_address> source;  ///< nothing: a unix socket
  bool replication = false;
  wall_time when{};

  std::string_view principal() const { return who != nullptr ? std::string_view(who->principal) : user; }
};

/// `wait`: somebody has to approve.
enum class outcome : std::uint8_t { allow, deny, wait };
inline constexpr std::array<std::string_view, 3> outcome_names{"allow", "deny", "wait"};
/// Why one policy does not fit.
enum class misfit : std::uint8_t { none, subject, route, database, replication, source, hours };

struct decision {
  const policy* by = nullptr;  ///< null: none fits
  outcome what = outcome::deny;
  /// For log and audit, never for the client.
  std::string reason() const;
};

class policy_set {
 public:
  /// Null where no route needs a policy. An error names the policy.
  static result<std::shared_ptr<const policy_set>> build(const config::settings& of);

  /// Whether a client of the route needs a policy that fits: where the file has policies every route does,
  /// and else those of a namespace that has some of its own. For other routes there is nothing to decide.
  bool governs(const config::route& route) const;
  decision decide(const question& asked) const;
  /// The first thing that does not fit.
  misfit fits(const policy& one, const question& asked) const;
  const std::vector<policy>& policies() const { return policies_; }

 private:
  using bits = std::array<std::uint64_t, (limits::config_list_entries + 63) / 64>;
  struct name_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using by_name = std::unordered_map<std::string, bits, name_hash, std::equal_to<>>;
  struct pattern {
    std::string glob;
    std::uint32_t policy;
  };
  /// Patterns by what stands before their first wildcard, or behind their last.
  struct by_end {
    std::unordered_map<std::string, std::vector<pattern>, name_hash, std::equal_to<>> patterns;
    std::vector<std::size_t> sizes;  ///< of those texts, each once
    void add(std::string_view end, pattern which);
  };
  struct names {
    by_name exact;
    by_end fronts;
    by_end backs;  ///< of patterns that begin with a wildcard
    void add(const std::string& glob, std::size_t policy);
    void look(std::string_view name, bits& into) const;
  };

  void index(std::size_t at, const config::settings& of);
  bits candidates(const question& asked) const;

  bool all_ = false;                   // routes are governed; else those of
  std::vector<std::string> governed_;  // these namespaces, in order
  std::vector<policy> policies_;
  std::vector<bits> by_route_;
  names users_;
  names groups_;
  bits others_{};  // with subjects that only some methods tell
};

/// Where `misfit` is not none: in words, such as "its hours are over".
std::string_view text_of(misfit why);

}  // namespace trunkline::access
