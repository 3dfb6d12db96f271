// What a client that needs an approval asks for, as the desk of grants keeps it: by the policy that decided,
// whether the client is connected or asks over the API. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "access/policy.h"
#include "auth/identity.h"
#include "config/settings.h"
#include "grants/desk.h"
#include "protocol/startup_message.h"

namespace trunkline::session {

/// Where a client may say why it comes: `-c trunkline.reason=...` in its options.
inline constexpr std::string_view reason_setting = "trunkline.reason";

struct access_asker {
  const auth::identity* who = nullptr;  ///< null: the user is all that is known
  std::string user;                     ///< of the database
  std::string database;
  std::string client;  ///< its address
  std::string reason;
};

/// Precondition: `by` has an approval.
grants::question question_of(const access_asker& asker, const config::route& route, const access::policy& by);

/// The setting, or else what stands behind `reason=` in the application_name; empty: the client says none.
std::string reason_of(const protocol::startup_message& startup);

}  // namespace trunkline::session
