#include "config/build_kubernetes.h"

namespace trunkline::config {

namespace {

/// Where the operator keeps it.
std::string own_ca_secret(const kubernetes_discovery& of) {
  switch (of.run_by) {
    case kubernetes_operator::cloudnative_pg:
      return of.cluster + "-ca";
    case kubernetes_operator::crunchy:
      return of.cluster + "-cluster-cert";
    case kubernetes_operator::zalando:  // servers sign their own certificates
    case kubernetes_operator::none:
      return "";
  }
  return "";
}

}  // namespace

kubernetes_discovery build_kubernetes_discovery(section& from) {
  kubernetes_discovery made;
  made.name_space = from.namespace_text("namespace");
  made.service = from.text("service");
  if (section cluster = from.child("cluster"); cluster.present()) {
    made.run_by = cluster.choice("operator", kubernetes_operators);
    made.cluster = cluster.text("name");
  }
  made.port = from.text("port");
  made.server_name = from.text("serverName");
  if (section ca = from.child("caSecret"); ca.present()) {
    made.ca_secret = ca.has("name") ? ca.text("name") : own_ca_secret(made);
    made.ca_key = ca.text("key");
    if (made.ca_secret.empty()) ca.refuse("name", "is missing", "the name of a Secret");
  }
  return made;
}

kubernetes_access build_kubernetes_access(section& from) {
  if (!from.present()) return {};
  return {.kubeconfig_file = from.file("kubeconfigFile"),
          .context = from.text("context"),
          .api_server = from.url("apiServer"),
          .token_file = from.file("tokenFile"),
          .ca_file = from.file("caFile")};
}

kubernetes_presence build_kubernetes_presence(section& from) {
  kubernetes_presence made;
  if (!from.present()) return made;
  made.gateway = from.text("gateway");
  made.name_space = from.text("namespace");
  if (section objects = from.child("objects"); objects.present())
    made.objects = {.namespaces = objects.texts("namespaces"), .labels = objects.text("selector")};
  made.requests = from.boolean("requests");
  made.events = from.boolean("events");
  return made;
}

}  // namespace trunkline::config
