#include "config/schema_access.h"

#include "config/enum_names.h"

namespace trunkline::config {

namespace {

using held = value_kind;

constexpr std::int64_t day_ms = 24 * 3'600'000;

template <class Names>
std::vector<std::string> names_of(const Names& names) {
  std::vector<std::string> result;
  for (const auto& entry : names)
    result.emplace_back(entry.name);
  return result;
}

// The tables stay as they are written: one key, one entry.
// clang-format off

void add_policy(std::vector<schema_key>& to, const std::string& policy) {
  const std::string who = policy + ".subjects";
  const std::string what = policy + ".objects";
  to.insert(to.end(), {
    {.path = "access.policies", .kind = held::mappings,
     .doc = "Who may have what, in order: the first that fits decides, and where none fits the client is refused. Left out: "
            "routes alone decide ([access.md](access.md))."},
    {.path = policy + ".name", .kind = held::name, .doc = "For log, audit and what a client is told; unique.", .required = true},
    {.path = policy + ".effect", .kind = held::choice, .doc = "What becomes of a client that fits.", .default_text = "allow",
     .choices = names_of(access_effects)},
    {.path = who, .kind = held::mapping, .doc = "Whom it is for: one entry of one list must fit.", .required = true},
    {.path = who + ".user", .kind = held::texts,
     .doc = "Who the client is: its principal; with `server`, `scram` and `trust` the user that it asks for."},
    {.path = who + ".group", .kind = held::texts, .doc = "A group that its token names, or the API server does."},
    {.path = who + ".serviceAccount", .kind = held::texts,
     .doc = "NAMESPACE/NAME, of routes with method `kubernetes`; a `*` stays within its part."},
    {.path = who + ".spiffe", .kind = held::texts,
     .doc = "spiffe://DOMAIN/PATH, of routes with method `cert` or `jwt`; a `*` does not reach beyond a `/`."},
    {.path = what, .kind = held::mapping, .doc = "What it is for. Left out: everything."},
    {.path = what + ".route", .kind = held::texts, .doc = "Names of routes.", .default_note = "all"},
    {.path = what + ".database", .kind = held::texts, .doc = "The database that the client asks for.", .default_note = "all"},
    {.path = policy + ".source", .kind = held::ranges,
     .doc = "The client's address; a client on a unix socket does not fit.", .default_note = "from everywhere"},
    {.path = policy + ".hours", .kind = held::mapping,
     .doc = "When it fits. A session that it let in ends when they are over."},
    {.path = policy + ".hours.days", .kind = held::texts, .doc = "`mon` to `sun`, or ranges such as `mon-fri`.",
     .default_note = "every day"},
    {.path = policy + ".hours.from", .kind = held::text, .doc = "As 08:30.", .default_text = "00:00"},
    {.path = policy + ".hours.until", .kind = held::text, .doc = "As 18:00 or 24:00; before `from`: on the next day.",
     .default_text = "24:00"},
    {.path = policy + ".hours.timeZone", .kind = held::text, .doc = "A name of the system's time zones, such as Europe/Berlin.",
     .default_text = "UTC"},
    {.path = policy + ".level", .kind = held::choice,
     .doc = "`read`: nothing can be written. `write`: roles are not managed, and the server's programs and files not reached. "
            "`admin`: all that the server lets the user do.",
     .default_text = "write", .choices = names_of(access_levels)},
    {.path = policy + ".role", .kind = held::text, .doc = "The role that the session assumes at the server, and cannot leave.",
     .default_note = "the user's own"},
    {.path = policy + ".denied", .kind = held::texts,
     .doc = "Classes of statements that are refused: `ddl`, `copyProgram`, `do`, `roles`, `unqualifiedWrite`."},
    {.path = policy + ".replication", .kind = held::boolean, .doc = "Replication connections are let in too.",
     .default_text = "false"},
    {.path = policy + ".maxLength", .kind = held::duration, .doc = "A session ends after this time; 0: no bound.",
     .default_text = "0", .most = 365 * day_ms},
    {.path = policy + ".settings", .kind = held::parameters,
     .doc = "Server settings (GUCs) sent at start-up, over those of the route and the client."},
    {.path = policy + ".limits", .kind = held::mapping, .doc = "What a session may be given in all."},
    {.path = policy + ".limits.rows", .kind = held::integer, .doc = "Rows; the session ends at the next one. 0: no bound.",
     .default_text = "0"},
    {.path = policy + ".limits.bytes", .kind = held::size, .doc = "Bytes of rows and of COPY data; the same. 0: no bound.",
     .default_text = "0"},
  });
}

void add_approval(std::vector<schema_key>& to, const std::string& approval) {
  to.insert(to.end(), {
    {.path = approval, .kind = held::mapping,
     .doc = "Somebody else must let the client in. Left out: nobody need."},
    {.path = approval + ".anyOf", .kind = held::texts, .doc = "Groups, or users: one of them must approve."},
    {.path = approval + ".allOf", .kind = held::texts, .doc = "Groups: somebody of each must approve."},
    {.path = approval + ".count", .kind = held::integer, .doc = "Approvals of different people, in all.",
     .default_text = "1", .least = 1, .most = 20},
    {.path = approval + ".breakGlass", .kind = held::texts,
     .doc = "Groups that may approve their own request, with a reason; it is told loudly."},
    {.path = approval + ".reason", .kind = held::boolean, .doc = "A request without a reason is refused.",
     .default_text = "true"},
    {.path = approval + ".wait", .kind = held::duration, .doc = "How long a request stays open.", .default_text = "30m",
     .least = 1'000, .most = 7 * day_ms},
  });
}

// clang-format on

}  // namespace

void add_access_keys(std::vector<schema_key>& to) {
  const std::string policy = "access.policies[]";
  to.push_back(
      {.path = "access", .kind = held::mapping, .doc = "Access policies. Left out: routes alone decide."});
  add_policy(to, policy);
  add_approval(to, policy + ".approval");
  const std::string hook = "access.webhooks[]";
  to.insert(
      to.end(),
      {{.path = "access.store",
        .kind = held::folder,
        .doc = "The file that keeps requests and grants; needed where a policy has an `approval`."},
       {.path = "access.administrators",
        .kind = held::texts,
        .doc = "Groups, or users, that see all requests and may revoke any grant."},
       {.path = "access.webhooks",
        .kind = held::mappings,
        .doc = "Who is told of requests and what becomes of them."},
       {.path = hook + ".url",
        .kind = held::url,
        .doc = "Where to: https, or http on loopback. Shown without its path, which is often a secret."},
       {.path = hook + ".urlFile",
        .kind = held::file,
        .doc = "The file that holds it, in the place of `url`."},
       {.path = hook + ".secretFile",
        .kind = held::file,
        .doc = "The key that signs what is sent (HMAC-SHA-256), at least 32 random bytes."},
       {.path = hook + ".format",
        .kind = held::choice,
        .doc = "`json`: the event as it is. `slack`: as a message for Slack's incoming webhooks.",
        .default_text = "json",
        .choices = names_of(webhook_formats)}});
}

}  // namespace trunkline::config
