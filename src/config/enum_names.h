// How the enumerators of settings.h are written in a file: one table each, for the parser, the printer and
// the docs.
#pragma once

#include <array>
#include <string_view>

#include "config/settings.h"

namespace trunkline::config {

template <class Enum>
struct enum_name {
  std::string_view name;
  Enum value;
};

inline constexpr std::array<enum_name<listener_tls_mode>, 4> listener_tls_modes{
    {{"disable", listener_tls_mode::disable},
     {"allow", listener_tls_mode::allow},
     {"require", listener_tls_mode::require},
     {"passthrough", listener_tls_mode::passthrough}}};
inline constexpr std::array<enum_name<client_certificate>, 3> client_certificate_modes{
    {{"none", client_certificate::none},
     {"request", client_certificate::request},
     {"require", client_certificate::require}}};
inline constexpr std::array<enum_name<tls_version>, 2> tls_versions{
    {{"1.2", tls_version::tls1_2}, {"1.3", tls_version::tls1_3}}};
inline constexpr std::array<enum_name<route_target>, 4> route_targets{
    {{"primary", route_target::primary},
     {"replica", route_target::replica},
     {"preferReplica", route_target::prefer_replica},
     {"any", route_target::any}}};
inline constexpr std::array<enum_name<pooling_mode>, 3> pooling_modes{
    {{"off", pooling_mode::off},
     {"session", pooling_mode::session},
     {"transaction", pooling_mode::transaction}}};
inline constexpr std::array<enum_name<unsafe_policy>, 2> unsafe_policies{
    {{"pin", unsafe_policy::pin}, {"refuse", unsafe_policy::refuse}}};
inline constexpr std::array<enum_name<principal_note>, 3> principal_notes{
    {{"off", principal_note::off},
     {"applicationName", principal_note::application_name},
     {"setting", principal_note::setting}}};
inline constexpr std::array<enum_name<auth_method>, 6> auth_methods{
    {{"server", auth_method::server},
     {"scram", auth_method::scram},
     {"trust", auth_method::trust},
     {"cert", auth_method::cert},
     {"jwt", auth_method::jwt},
     {"kubernetes", auth_method::kubernetes}}};
inline constexpr std::array<enum_name<certificate_name>, 4> certificate_names{
    {{"commonName", certificate_name::common_name},
     {"dns", certificate_name::dns},
     {"email", certificate_name::email},
     {"uri", certificate_name::uri}}};
inline constexpr std::array<enum_name<token_offer>, 2> token_offers{
    {{"password", token_offer::password}, {"oauthbearer", token_offer::oauthbearer}}};
inline constexpr std::array<enum_name<kubernetes_operator>, 4> kubernetes_operators{
    {{"none", kubernetes_operator::none},
     {"cloudnative-pg", kubernetes_operator::cloudnative_pg},
     {"zalando", kubernetes_operator::zalando},
     {"crunchy", kubernetes_operator::crunchy}}};
inline constexpr std::array<enum_name<upstream_tls_mode>, 5> upstream_tls_modes{
    {{"disable", upstream_tls_mode::disable},
     {"prefer", upstream_tls_mode::prefer},
     {"require", upstream_tls_mode::require},
     {"verify-ca", upstream_tls_mode::verify_ca},
     {"verify-full", upstream_tls_mode::verify_full}}};
inline constexpr std::array<enum_name<proxy_header>, 3> proxy_headers{
    {{"off", proxy_header::off}, {"v1", proxy_header::v1}, {"v2", proxy_header::v2}}};

inline constexpr std::array<enum_name<audit_sink_type>, 2> audit_sink_types{
    {{"file", audit_sink_type::file}, {"stdout", audit_sink_type::standard_output}}};
inline constexpr std::array<enum_name<audit_parameters>, 3> audit_parameter_modes{
    {{"off", audit_parameters::off},
     {"redacted", audit_parameters::redacted},
     {"full", audit_parameters::full}}};
inline constexpr std::array<enum_name<audit_failure>, 2> audit_failures{
    {{"block", audit_failure::block}, {"continue", audit_failure::go_on}}};

inline constexpr std::array<enum_name<access_effect>, 2> access_effects{
    {{"allow", access_effect::allow}, {"deny", access_effect::deny}}};
inline constexpr std::array<enum_name<access_level>, 3> access_levels{
    {{"read", access_level::read}, {"write", access_level::write}, {"admin", access_level::admin}}};
inline constexpr std::array<enum_name<statement_class>, statement_class_count> statement_classes{
    {{"ddl", statement_class::ddl},
     {"copyProgram", statement_class::copy_program},
     {"do", statement_class::do_block},
     {"roles", statement_class::roles},
     {"unqualifiedWrite", statement_class::unqualified_write}}};
inline constexpr std::array<enum_name<webhook_format>, 2> webhook_formats{
    {{"json", webhook_format::json}, {"slack", webhook_format::slack}}};

template <class Names, class Enum>
constexpr std::string_view name_of(const Names& names, Enum value) {
  for (const auto& entry : names) {
    if (entry.value == value) return entry.name;
  }
  return "?";
}

}  // namespace trunkline::config
