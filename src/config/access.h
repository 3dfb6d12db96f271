// The part `access` of the configuration: who may have which database, as which role, and whether somebody
// has to approve it. Plain data; see settings.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/redacted.h"
#include "config/network_range.h"

namespace trunkline::config {

/// Whom a policy is for. An identity fits where one entry of one list does; globs; all empty: nobody.
struct access_subjects {
  std::vector<std::string> users;  ///< principals
  std::vector<std::string> groups;
  std::vector<std::string> service_accounts;  ///< namespace/name; a `*` stays within its part
  std::vector<std::string> spiffe;            ///< spiffe://domain/path; the same
  bool operator==(const access_subjects&) const = default;
};

enum class access_effect : std::uint8_t { allow, deny };
/// `read`: nothing is written. `write`: no role is managed, and no program or file of the server's is
/// reached. `admin`: all that the server lets the user do.
enum class access_level : std::uint8_t { read, write, admin };
/// Classes of statements, by PostgreSQL's grammar (docs/access.md says what is in each).
enum class statement_class : std::uint8_t { ddl, copy_program, do_block, roles, unqualified_write };
inline constexpr std::size_t statement_class_count = 5;

/// Minutes of a day in a time zone of the system's database; `until` before `from`: over midnight.
struct access_hours {
  std::uint8_t days = 0x7f;  ///< bit 0: Monday
  std::chrono::minutes from{0};
  std::chrono::minutes until{24 * 60};
  std::string time_zone = "UTC";
  bool operator==(const access_hours&) const = default;
};

/// Who may let a request through; never who asks, but for break-glass.
struct access_approval {
  std::vector<std::string> any_of;       ///< groups, or users; globs: one approval of one of them
  std::vector<std::string> all_of;       ///< groups: one approval of each
  unsigned count = 1;                    ///< approvals of different people, in all
  std::vector<std::string> break_glass;  ///< groups that may approve their own request, with a reason, loudly
  bool reason = true;                    ///< a request without one is refused
  std::chrono::milliseconds wait{std::chrono::minutes(30)};  ///< how long a request stays open
  bool operator==(const access_approval&) const = default;
};

/// The first that fits decides; where none fits, a client is refused. One that allows fits a replication
/// connection only with `replication`.
struct access_policy {
  std::string name;        ///< "namespace/name" where it is an object of Kubernetes
  std::string name_space;  ///< of that object, to whose routes alone it applies; empty: the file's
  access_effect effect = access_effect::allow;
  access_subjects subjects;
  std::vector<std::string> routes;     ///< globs; empty: all
  std::vector<std::string> databases;  ///< globs; empty: all
  std::vector<network_range> sources;  ///< empty: from everywhere
  std::optional<access_hours> hours;
  access_level level = access_level::write;
  std::string role;  ///< that the session assumes; empty: its own
  std::vector<statement_class> denied;
  bool replication = false;
  std::chrono::milliseconds max_length{0};  ///< of a session, and of a grant; 0: no bound
  std::vector<std::pair<std::string, std::string>> settings;
  std::uint64_t max_rows = 0;               ///< that a session may be given; 0: no bound
  std::uint64_t max_bytes = 0;              ///< the same, of rows and COPY data
  std::optional<access_approval> approval;  ///< nothing: none is needed
  bool operator==(const access_policy&) const = default;
};

enum class webhook_format : std::uint8_t { json, slack };

/// Who is told of requests and what becomes of them.
struct access_webhook {
  secret_text url;               ///< https, or http on loopback; whoever knows it can often write there
  std::string url_file = {};     ///< that holds it, for messages and the file watch; empty: it stood in place
  secret_text secret = {};       ///< what `secretFile` holds; empty: what is sent is not signed
  std::string secret_file = {};  ///< for messages and the file watch
  webhook_format format = webhook_format::json;
  bool operator==(const access_webhook& other) const;
};

struct access {
  std::vector<access_policy> policies;  ///< empty: no policy is asked, and routes alone decide
  /// Namespaces whose routes need a policy that fits, though all of theirs may have been refused; in order.
  /// Where the file has policies, all routes need one.
  std::vector<std::string> governed;
  std::string store;  ///< file of requests and grants; empty: none, and no policy has an approval
  std::vector<std::string> administrators;  ///< groups or users that see all requests and revoke any grant
  std::vector<access_webhook> webhooks;
  bool operator==(const access&) const = default;
};

}  // namespace trunkline::config
