#include "grants/webhook_body.h"

#include <fmt/format.h>

#include "auth/sha256.h"
#include "grants/quorum.h"
#include "grants/request_json.h"

namespace trunkline::grants {

namespace {

using ordered = nlohmann::ordered_json;

std::string dumped(const ordered& of) {
  return of.dump(-1, ' ', false, ordered::error_handler_t::replace);
}

/// Slack's three special characters (https://api.slack.com/reference/surfaces/formatting#escaping), and what
/// would end a line or a piece of code.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char each : text) {
    if (each == '&') {
      made += "&amp;";
    } else if (each == '<') {
      made += "&lt;";
    } else if (each == '>') {
      made += "&gt;";
    } else {
      const bool plain = static_cast<unsigned char>(each) >= ' ' && each != '`';
      made += plain ? each : ' ';
    }
  }
  return made;
}

std::string because(std::string_view reason) {
  return reason.empty() ? std::string() : fmt::format(": {}", escaped(reason));
}

std::string sentence_of(const change& of) {
  const record& about = of.of;
  const std::string by = escaped(of.by);
  switch (of.what) {
    case change::kind::request:
      return fmt::format("{} asks for access{}. It needs {}: `trunkline access approve {}`", by,
                         because(of.reason), escaped(what_is_missing(about)), about.id);
    case change::kind::approve:
      if (about.break_glass)
        return fmt::format("BREAK-GLASS: {} has approved their own request{}", by, because(of.reason));
      return fmt::format("{} has approved{}", by, because(of.reason));
    case change::kind::grant:
      return fmt::format("access is granted until {}", time_text(about.until));
    case change::kind::deny:
      return fmt::format("{} has denied it{}", by, because(of.reason));
    case change::kind::withdraw:
      return fmt::format("{} has withdrawn it", by);
    case change::kind::timeout:
      return "nobody has answered in time";
    case change::kind::revoke:
      return fmt::format("{} has revoked it{}", by, because(of.reason));
    case change::kind::expire:
      return "the grant has expired";
  }
  return "";
}

}  // namespace

std::string json_body(const change& of, const std::string& delivery, wall_time now) {
  return dumped({{"id", delivery},
                 {"event", fmt::format("access.{}", name_of(of.what))},
                 {"time", time_text(now)},
                 {"by", of.by.empty() ? ordered(nullptr) : ordered(of.by)},
                 {"reason", of.reason.empty() ? ordered(nullptr) : ordered(of.reason)},
                 {"request", request_json(of.of)}});
}

std::string slack_body(const change& of) {
  const record& about = of.of;
  return dumped(
      {{"text", fmt::format("Request {} ({} on `{}`, route {}, policy {}): {}", about.id,
                            escaped(about.what.principal), escaped(about.what.database),
                            escaped(about.what.route), escaped(about.what.policy), sentence_of(of))}});
}

std::string signature_of(const secret_text& secret, std::int64_t unix_seconds, std::string_view body) {
  const std::string head = fmt::format("{}.", unix_seconds);
  const auto mac = auth::hmac_sha256(as_bytes(secret.reveal()), {as_bytes(head), as_bytes(body)});
  std::string made = fmt::format("t={},v1=", unix_seconds);
  for (const std::byte each : mac)
    made += fmt::format("{:02x}", std::to_integer<unsigned>(each));
  return made;
}

}  // namespace trunkline::grants
