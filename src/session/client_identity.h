// Rules of the configuration applied to what a client has proved: a certificate's names become a principal,
// and a principal may be some users. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "config/identity.h"
#include "tls/certificate.h"

namespace trunkline::session {

/// `rules` null: the common name. Nothing: no rule fits.
std::optional<std::string> principal_of(const tls::certificate_facts& shown,
                                        const config::certificate_auth* rules);

/// No rules: the user is named as the principal is.
bool may_be(const auth::identity& who, const std::vector<config::user_rule>& rules, std::string_view user);

}  // namespace trunkline::session
