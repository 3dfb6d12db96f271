#include "session/grant_question.h"

#include <fmt/format.h>

#include "auth/sha256.h"
#include "config/enum_names.h"
#include "session/start_settings.h"

namespace trunkline::session {

namespace {

/// What the policy gives, as a fingerprint: who is granted `read` today has nothing of a policy that says
/// `admin` tomorrow.
std::string terms_of(const access::policy& by) {
  const config::access_policy& says = by.says;
  std::string text = fmt::format("{} {} {} {} {} {}", static_cast<int>(says.level), by.guard.denied,
                                 by.guard.read_only, says.max_rows, says.max_bytes, says.replication);
  for (const auto& [name, value] : by.parameters)
    text += fmt::format(" {}:{}{}:{}", name.size(), name, value.size(), value);
  std::string made;
  for (const std::byte each : auth::sha256({as_bytes(text)}))
    made += fmt::format("{:02x}", std::to_integer<unsigned>(each));
  return made.substr(0, 32);
}

}  // namespace

grants::question question_of(const access_asker& asker, const config::route& route,
                             const access::policy& by) {
  grants::question made;
  made.what = {.principal = asker.who != nullptr ? asker.who->principal : asker.user,
               .policy = by.says.name,
               .terms = terms_of(by),
               .route = route.name,
               .database = asker.database,
               .user = asker.user};
  if (asker.who != nullptr) made.groups = asker.who->groups;
  made.client = asker.client;
  made.reason = asker.reason;
  made.role = by.says.role;
  made.rule = *by.says.approval;
  made.length = by.says.max_length;
  return made;
}

std::string reason_of(const protocol::startup_message& startup) {
  if (const auto settings = start_settings(startup, {})) {
    const std::string* const said = settings->find(std::string(reason_setting));
    if (said != nullptr && !said->empty()) return *said;
  }
  constexpr std::string_view mark = "reason=";
  const auto called = startup.find("application_name").value_or("");
  const auto at = called.find(mark);
  return at == std::string_view::npos ? "" : std::string(called.substr(at + mark.size()));
}

}  // namespace trunkline::session
