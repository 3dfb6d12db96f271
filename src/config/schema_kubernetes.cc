#include "config/schema_kubernetes.h"

#include "config/enum_names.h"

namespace trunkline::config {

namespace {

using held = value_kind;

}  // namespace

// As in schema.cc: one key, one entry.
// clang-format off

void add_kubernetes_discovery(std::vector<schema_key>& to) {
  const std::string here = "upstreams[].discovery.kubernetes";
  to.insert(to.end(), {
    {.path = here, .kind = held::mapping,
     .doc = "Endpoints from the EndpointSlices of a `service`, headless or not, or of an operator's `cluster` "
            "([kubernetes-api.md](kubernetes-api.md))."},
    {.path = here + ".namespace", .kind = held::text, .doc = "Where it is.", .required = true},
    {.path = here + ".service", .kind = held::text, .doc = "The service's name."},
    {.path = here + ".cluster", .kind = held::mapping,
     .doc = "Instead of a service: a cluster that an operator runs, all its servers."},
    {.path = here + ".cluster.operator", .kind = held::choice, .doc = "Whose labels they have.", .required = true,
     .choices = {"cloudnative-pg", "zalando", "crunchy"}},
    {.path = here + ".cluster.name", .kind = held::text, .doc = "The cluster's name.", .required = true},
    {.path = here + ".port", .kind = held::text, .doc = "The port's name or number.",
     .default_note = "the only one, or the one that is called `postgres`, `postgresql` or `pg`, or is 5432"},
    {.path = here + ".serverName", .kind = held::text,
     .doc = "The name that the servers' certificates must be for.", .default_note = "`SERVICE.NAMESPACE.svc`"},
    {.path = here + ".caSecret", .kind = held::mapping,
     .doc = "In the place of the authorities that `tls` names: a Secret of the namespace that holds who must have signed the servers' certificates. "
            "Another content is in force at once."},
    {.path = here + ".caSecret.name", .kind = held::text, .doc = "The Secret's name.",
     .default_note = "with `cluster`: the operator's own"},
    {.path = here + ".caSecret.key", .kind = held::text, .doc = "Which of its data.", .default_text = "ca.crt"},
  });
}

void add_kubernetes_access(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "kubernetes", .kind = held::mapping,
     .doc = "The API server: how it is reached, and what is kept there. Left out: as in a pod, with its service account."},
    {.path = "kubernetes.kubeconfigFile", .kind = held::file,
     .doc = "A kubeconfig: server, authorities, token or client certificate. `exec` and other plugins are refused.",
     .default_note = "none: the keys below"},
    {.path = "kubernetes.context", .kind = held::text, .doc = "Which of its contexts.", .default_note = "its current one"},
    {.path = "kubernetes.apiServer", .kind = held::url, .doc = "The API server, such as https://kubernetes.default.svc.",
     .default_note = "as `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` say"},
    {.path = "kubernetes.tokenFile", .kind = held::file, .doc = "The gateway's own token; read again for each request.",
     .default_note = "the pod's own, in `/var/run/secrets/kubernetes.io/serviceaccount`"},
    {.path = "kubernetes.caFile", .kind = held::file, .doc = "Authorities (PEM) that vouch for the API server.",
     .default_note = "the pod's own"},
    {.path = "kubernetes.gateway", .kind = held::name,
     .doc = "The name that the replicas of one gateway share: of their Lease, and of who writes statuses and events.",
     .default_text = "trunkline"},
    {.path = "kubernetes.namespace", .kind = held::text, .doc = "The gateway's own namespace.",
     .default_note = "the pod's"},
    {.path = "kubernetes.objects", .kind = held::mapping,
     .doc = "PostgresUpstream, PostgresRoute and AccessPolicy objects are configuration beside this file, which then needs no "
            "`routes` and `upstreams` ([kubernetes-objects.md](kubernetes-objects.md)). Left out: they are not."},
    {.path = "kubernetes.objects.namespaces", .kind = held::texts, .doc = "Where they count: names of namespaces, or `*`.",
     .default_note = "the gateway's own"},
    {.path = "kubernetes.objects.selector", .kind = held::text, .doc = "Which of them: labels, such as `team=a`.",
     .default_note = "all"},
    {.path = "kubernetes.requests", .kind = held::boolean,
     .doc = "Requests for access and grants are AccessRequest objects in the gateway's namespace, in the place of `access.store`.",
     .default_text = "false"},
    {.path = "kubernetes.events", .kind = held::boolean,
     .doc = "Kubernetes Events tell of what somebody should see of objects and requests.", .default_text = "true"},
  });
}

// clang-format on

}  // namespace trunkline::config
