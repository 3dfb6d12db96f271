// The parts of `routes[].auth` that say how a client proves who it is, beside SCRAM: certificate, token,
// Kubernetes service account; and which users whoever it is may be. Plain data; see settings.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "config/kubernetes.h"

namespace trunkline::config {

// ---- certificates ----

/// Which of a certificate's names.
enum class certificate_name : std::uint8_t { common_name, dns, email, uri };

/// The first rule that one of the names fits decides.
struct certificate_rule {
  certificate_name from = certificate_name::common_name;
  std::string match;             ///< see name_pattern.h
  std::string principal = "$0";  ///< may use the parts that `match` found
  bool operator==(const certificate_rule&) const = default;
};

struct certificate_auth {
  std::vector<certificate_rule> map;  ///< empty: the common name is the principal
  bool operator==(const certificate_auth&) const = default;
};

// ---- tokens ----

/// Where the keys are that sign an issuer's tokens: in a file, at an address, or where the issuer's discovery
/// document says.
struct issuer_keys {
  std::string issuer;  ///< as tokens name it, to the letter
  std::string jwks_file;
  std::string jwks_uri;
  std::string ca_file;  ///< empty: the system's trust store

  /// They are asked for over the network.
  bool are_fetched() const { return jwks_file.empty(); }
  bool operator==(const issuer_keys&) const = default;
};

/// How a client is asked for its token.
enum class token_offer : std::uint8_t { password, oauthbearer };

struct jwt_auth {
  issuer_keys keys;
  std::vector<std::string> audiences;  ///< one of them must be the token's
  std::string principal_claim = "sub";
  std::string groups_claim;             ///< empty: none
  std::vector<std::string> algorithms;  ///< empty: all that are known
  std::chrono::milliseconds clock_skew{std::chrono::seconds(30)};
  token_offer offer = token_offer::password;
  std::string scope = "openid";  ///< what an OAUTHBEARER client is told to ask its issuer for
  bool operator==(const jwt_auth&) const = default;
};

struct kubernetes_auth {
  std::string api_server;  ///< empty: none is asked, `offline` decides; without that the pod's own
  std::string token_file;  ///< the gateway's own, read again for each question
  std::string ca_file;
  std::vector<std::string> audiences;             ///< one of them must be the token's
  std::optional<issuer_keys> offline;             ///< where the API server cannot be reached
  std::optional<rbac_object> authorization = {};  ///< RBAC says who may have the route

  /// It is asked where every pod of the cluster is told to.
  bool is_the_pods() const { return api_server.empty() && !offline; }
  bool operator==(const kubernetes_auth&) const = default;
};

// ---- users ----

/// Every list that is not empty must have an entry that fits.
struct user_rule {
  std::vector<std::string> principals;  ///< see name_pattern.h
  std::vector<std::string> groups;      ///< globs
  std::vector<std::string> users;       ///< globs, or with parts of the principal
  bool operator==(const user_rule&) const = default;
};

}  // namespace trunkline::config
