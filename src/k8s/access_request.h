// AccessRequest (trunkline.dev/v1alpha1, docs/kubernetes-requests.md) as a record of the desk of grants, and
// back. What a gateway goes by is in the status, which only gateways may write; the spec is what people read,
// and what they answer with. An object is believed about the routes of its own namespace only. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "grants/record.h"
#include "grants/store.h"
#include "k8s/object.h"

namespace trunkline::k8s {

inline constexpr const char* requests_api = "/apis/trunkline.dev/v1alpha1";

/// Whose requests they are.
struct request_scope {
  std::string name;        ///< that the replicas of one gateway share
  std::string name_space;  ///< its own: the routes of its file are there
  bool operator==(const request_scope&) const = default;

  /// As objects have it: two gateways of one name in two namespaces are two.
  std::string gateway() const { return name_space + "/" + name; }
};

/// What an object is to this gateway.
struct access_request {
  enum class kind : std::uint8_t {
    none,    ///< another gateway's, or over before it began
    record,  ///< `of` holds it
    draft,   ///< a gateway has made it, and not yet written its status
    wish,    ///< somebody has made it, and no gateway has looked at it
    bad,     ///< it says what cannot be
  };
  kind what = kind::none;
  std::string name_space = {};
  std::string name = {};
  std::string uid = {};
  std::string version = {};
  std::string subject = {};  ///< subject_key of `record` and `draft`
  grants::wall_time created{};
  grants::record of = {};
  grants::wish asked = {};
  std::string problem = {};  ///< of `bad`

  std::string place() const { return name_space + "/" + name; }
};

access_request read_access_request(const json& object, const request_scope& of);

/// Where the request for a route has to be.
std::string namespace_of_route(std::string_view route, const request_scope& of);
/// One text for each subject, of each gateway.
std::string subject_key(const grants::subject& what, const request_scope& of);
/// Names of the objects of a subject, less the number at their end: of two gateways that ask for the same at
/// once, one finds that the object is there.
std::string object_base(const grants::subject& what, const request_scope& of);
/// Of a request; 48 bits, so that every reader of JSON can tell it from others.
std::int64_t request_number(std::string_view uid);

/// "2026-11-29T14:30:00Z", with or without a fraction.
std::optional<grants::wall_time> time_of(std::string_view text);

}  // namespace trunkline::k8s
