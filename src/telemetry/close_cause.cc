#include "telemetry/close_cause.h"

namespace trunkline::telemetry {

std::string_view name_of(cause which) {
  switch (which) {
    case cause::client_terminate:
      return "client_terminate";
    case cause::client_eof:
      return "client_eof";
    case cause::client_reset:
      return "client_reset";
    case cause::client_timeout:
      return "client_timeout";
    case cause::server_eof:
      return "server_eof";
    case cause::server_reset:
      return "server_reset";
    case cause::server_timeout:
      return "server_timeout";
    case cause::server_fatal:
      return "server_fatal";
    case cause::server_unreachable:
      return "server_unreachable";
    case cause::login_failed:
      return "login_failed";
    case cause::login_timeout:
      return "login_timeout";
    case cause::tls_client:
      return "tls_client";
    case cause::tls_server:
      return "tls_server";
    case cause::protocol_client:
      return "protocol_client";
    case cause::protocol_server:
      return "protocol_server";
    case cause::not_postgres:
      return "not_postgres";
    case cause::idle_timeout:
      return "idle_timeout";
    case cause::transaction_timeout:
      return "transaction_timeout";
    case cause::session_timeout:
      return "session_timeout";
    case cause::limit:
      return "limit";
    case cause::drain:
      return "drain";
    case cause::endpoint_gone:
      return "endpoint_gone";
    case cause::killed:
      return "killed";
    case cause::audit_blocked:
      return "audit_blocked";
    case cause::policy_denied:
      return "policy_denied";
    case cause::access_expired:
      return "access_expired";
    case cause::access_revoked:
      return "access_revoked";
    case cause::internal:
      return "internal";
  }
  return "internal";
}

std::string_view name_of(leg which) {
  switch (which) {
    case leg::client:
      return "client";
    case leg::server:
      return "server";
    case leg::gateway:
      return "gateway";
  }
  return "gateway";
}

std::string close_cause::text() const {
  std::string name(name_of(what));
  if (what == cause::server_fatal || what == cause::login_failed) name.append(":").append(code.view());
  return name;
}

leg close_cause::ended_by() const {
  switch (what) {
    case cause::client_terminate:
    case cause::client_eof:
    case cause::client_reset:
    case cause::client_timeout:
    case cause::tls_client:
    case cause::protocol_client:
    case cause::not_postgres:
    case cause::login_timeout:
      return leg::client;
    case cause::server_eof:
    case cause::server_reset:
    case cause::server_timeout:
    case cause::server_fatal:
    case cause::server_unreachable:
    case cause::tls_server:
    case cause::protocol_server:
      return leg::server;
    default:
      return leg::gateway;
  }
}

}  // namespace trunkline::telemetry
