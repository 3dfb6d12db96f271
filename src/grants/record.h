// One request for access and all that becomes of it: a single record with a number, from the question to the
// end of the grant, so that no two of them can disagree. Value types; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/access.h"

namespace trunkline::grants {

/// Of the machine's clock, to the millisecond: the times outlive the process.
using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;
/// The machine's clock.
wall_time wall_now();
inline std::int64_t millis(wall_time when) {
  return when.time_since_epoch().count();
}

/// Who asks, answers or revokes.
struct person {
  std::string principal;
  std::vector<std::string> groups = {};
  bool administrator = false;  ///< sees all, and revokes any grant
  bool vouched = false;        ///< the store itself lets them answer: enough where a rule names nobody
  bool operator==(const person&) const = default;
};

/// What access is for. Two clients for which all of it is equal share a request, and a grant.
struct subject {
  std::string principal;
  std::string policy;
  std::string terms;  ///< what the policy gives, as a text: a grant is not one for what it says tomorrow
  std::string route;
  std::string database;
  std::string user;  ///< of the database
  bool operator==(const subject&) const = default;
  /// All of it in one text, by which it is found.
  std::string key() const;
};

enum class state : std::uint8_t {
  open,       ///< somebody has to answer
  denied,     ///< final, as are all but `open` and `active`
  withdrawn,  ///< by who asked, or because nobody waits for it any more
  timed_out,
  active,  ///< a grant
  expired,
  revoked,
};
inline constexpr std::size_t state_count = 7;

std::string_view name_of(state which);
std::optional<state> state_of(std::string_view name);
inline bool is_live(state which) {
  return which == state::open || which == state::active;
}

/// One approval.
struct approval {
  std::string by;
  wall_time when{};
  std::string reason = {};
  std::vector<std::string> as = {};  ///< the entries of the rule that the approver fits
  bool operator==(const approval&) const = default;
};

/// What people can do with a request.
enum class decision : std::uint8_t { approve, deny, revoke, withdraw };
inline constexpr std::size_t decision_count = 4;

/// What somebody has written beside a record that lies where people write. It counts when a desk has judged
/// it.
struct written_answer {
  std::string id;  ///< that no other answer to the record has
  person by;
  decision what = decision::approve;
  std::string reason = {};
  std::chrono::milliseconds length{0};  ///< of the grant; 0: as asked for
  bool operator==(const written_answer&) const = default;
};

/// What a desk has said of it.
struct judged_answer {
  std::string id;
  std::string by;
  decision what = decision::approve;
  wall_time when{};
  bool counted = false;
  std::string why = {};  ///< it does not count
  bool operator==(const judged_answer&) const = default;
};

struct record {
  std::int64_t id = 0;       ///< 0: not stored yet
  std::int64_t version = 0;  ///< of the whole store when it was written last
  subject what;
  std::vector<std::string> groups;  ///< of the principal, for those who decide
  std::string client;               ///< the address that asked
  std::string reason;
  std::string role;  ///< that the session assumes; empty: its own
  config::access_approval rule;
  state now = state::open;
  wall_time asked{};
  wall_time answer_by{};                ///< then it times out
  std::chrono::milliseconds length{0};  ///< of the grant
  bool by_hand = false;                 ///< stays open though no session waits for it
  std::vector<std::string> gateways;    ///< where sessions wait for it
  std::vector<approval> approvals;
  bool break_glass = false;  ///< who asked has approved it
  wall_time from{};          ///< of the grant
  wall_time until{};
  std::optional<wall_time> over = {};  ///< when it became what it is now, where that is final
  std::string over_by;                 ///< who denied, withdrew or revoked it; empty: nobody did
  std::string over_reason;
  // Of stores in which people write; else empty:
  std::string place = {};      ///< where they find it
  std::string object_id = {};  ///< of what is there; another one that comes there has another
  std::vector<written_answer> unjudged = {};
  std::vector<judged_answer> judged = {};
  bool erased = false;  ///< somebody has deleted it, and that ended it
  bool operator==(const record&) const = default;

  /// It was granted at some time.
  bool is_grant() const { return from != wall_time{}; }
};

/// As stored; nothing: it is none.
std::string to_text(const record& of);
std::optional<record> record_of(std::string_view text);

/// A name, group or principal where upper and lower case are one: nobody is two people by the shift key.
bool same_person(std::string_view one, std::string_view other);

}  // namespace trunkline::grants
