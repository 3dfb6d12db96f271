// What the configuration says of Kubernetes: how its API server is reached, and which endpoints an upstream
// takes from it. Plain data; see settings.h.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trunkline::config {

/// How the API server is reached. All empty: as every pod of the cluster is told to.
struct kubernetes_access {
  std::string kubeconfig_file = {};
  std::string context = {};     ///< of the kubeconfig; empty: its current one
  std::string api_server = {};  ///< without a kubeconfig; empty: KUBERNETES_SERVICE_HOST and _PORT
  std::string token_file = {};  ///< without a kubeconfig, read again for each question; empty: the pod's own
  std::string ca_file = {};     ///< without a kubeconfig; empty: the pod's own
  bool operator==(const kubernetes_access&) const = default;
};

/// A part of a Secret's data.
struct secret_reference {
  std::string name_space = {};
  std::string name = {};
  std::string key = {};
  auto operator<=>(const secret_reference&) const = default;
};

/// A file that holds what a Secret does, in the place of one that somebody wrote down.
struct secret_file {
  std::string path = {};
  secret_reference of = {};
  bool operator==(const secret_file&) const = default;
};

/// Who looks after the servers, and by which labels they are found.
enum class kubernetes_operator : std::uint8_t { none, cloudnative_pg, zalando, crunchy };

/// The EndpointSlices whose ready addresses are endpoints: those of a service, or of an operator's cluster.
struct kubernetes_discovery {
  std::string name_space = {};
  std::string service = {};  ///< empty where there is a `cluster`
  kubernetes_operator run_by = kubernetes_operator::none;
  std::string cluster = {};      ///< as the operator knows it
  std::string port = {};         ///< name or number; empty: the only one, or the one named as PostgreSQL's
  std::string server_name = {};  ///< what certificates must be for; empty: the service's name in the DNS
  std::string ca_secret = {};    ///< who must have signed them; empty: as `tls` says
  std::string ca_key = {};       ///< of the Secret's data
  bool operator==(const kubernetes_discovery&) const = default;
};

/// PostgresUpstream, PostgresRoute and AccessPolicy that are configuration beside the file
/// (docs/kubernetes-objects.md).
struct kubernetes_objects {
  std::vector<std::string> namespaces = {};  ///< "*": all; empty: the gateway's own
  std::string labels = {};                   ///< a selector, such as "team=a"; empty: all
  bool operator==(const kubernetes_objects&) const = default;
};

/// What the gateway takes from the API beside endpoints, and what it keeps there.
struct kubernetes_presence {
  std::string gateway = "trunkline";  ///< the name that replicas of one gateway share
  std::string name_space = {};        ///< its own; empty: its pod's
  std::optional<kubernetes_objects> objects = {};
  bool requests = false;  ///< requests for access and grants are objects: AccessRequest
  bool events = true;     ///< where there are objects or requests: what somebody should see of them
  bool operator==(const kubernetes_presence&) const = default;
};

/// A PostgresRoute in RBAC's sense: who may `connect` to it has the route, to read; `write` and `admin` give
/// more.
struct rbac_object {
  std::string name_space = {};
  std::string name = {};
  /// Sessions go on for so long while the API server cannot be asked about them.
  std::chrono::milliseconds grace{std::chrono::hours(1)};
  bool operator==(const rbac_object&) const = default;
};

}  // namespace trunkline::config
