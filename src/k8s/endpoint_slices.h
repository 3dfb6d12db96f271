// What the EndpointSlices of one service, or of one cluster, say of its endpoints (API discovery.k8s.io/v1).
// An address may stand in several slices while they change: it is one endpoint, as good as the best says.
// Pure data; one thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/kubernetes.h"
#include "k8s/object.h"
#include "pool/endpoint_feed.h"

namespace trunkline::k8s {

/// A slice's label with the service's name.
inline constexpr const char* service_label = "kubernetes.io/service-name";
/// Whose slices are wanted.
std::vector<std::string> services_of(const config::kubernetes_discovery& what);
/// The selector of these services' slices.
std::string selector_of(std::vector<std::string> services);
/// What certificates must be for.
std::string server_name_of(const config::kubernetes_discovery& what);

class endpoint_slices {
 public:
  explicit endpoint_slices(config::kubernetes_discovery what) : what_(std::move(what)) {}

  void clear() { slices_.clear(); }
  void put(const json& object);
  void remove(const json& object);

  /// In the order of their addresses. Where none is ready and stays, those that are leaving are all there is,
  /// and are not left.
  pool::found_endpoints found() const;
  /// Why slices bring no endpoints; empty: they do, or there are none.
  std::string problem() const;

 private:
  struct known_endpoint {
    std::string name;  ///< its address as text: made once, compared with each change
    pool::found_endpoint what;
  };
  struct slice {
    std::vector<known_endpoint> endpoints;
    std::string problem;
  };

  slice read(const json& from) const;

  const config::kubernetes_discovery what_;
  std::map<std::string, slice, std::less<>> slices_;  // by their names
};

}  // namespace trunkline::k8s
