// The life of requests and grants:
//
//     open -> denied | withdrawn | timed_out
//     open -> active -> expired | revoked
//
// Each step reads a record, decides, and writes it where nobody else has written meanwhile; otherwise it
// looks again. So any number of gateways, and of people who answer at once, come to one result. The clock is
// a parameter. It waits for the store: never on a loop. Owner: one thread.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "grants/record.h"
#include "grants/store.h"

namespace trunkline::grants {

struct refusal {
  enum class kind : std::uint8_t {
    not_found,
    not_allowed,
    wrong_state,  ///< it has been answered, or has ended
    invalid,      ///< a reason is missing
    limit,        ///< too many requests are open
    unavailable,  ///< the store does not work
  };
  kind what = kind::unavailable;
  std::string message;  ///< one sentence for a human
};

template <class T = void>
using answer = std::expected<T, refusal>;

/// What somebody needs to be let in.
struct question {
  subject what;
  std::vector<std::string> groups = {};
  std::string client = {};
  std::string reason = {};
  std::string role = {};
  config::access_approval rule = {};
  std::chrono::milliseconds length{0};  ///< of the grant; 0: limits::access_grant
  bool by_hand = false;                 ///< no session waits
  std::string place = {};               ///< of the wish that it is, in the store
};

/// What has become of a request, told once by the gateway that did it.
struct change {
  enum class kind : std::uint8_t { request, approve, grant, deny, withdraw, timeout, revoke, expire };
  kind what = kind::request;
  record of;
  std::string by;  ///< empty: the clock
  std::string reason = {};
};
inline constexpr std::size_t change_kinds = 8;
std::string_view name_of(change::kind which);

/// Of open requests.
struct desk_bounds {
  std::size_t open = limits::access_requests;
  std::size_t open_of_principal = limits::access_requests_of_principal;
};

class desk {
 public:
  /// `gateway`: a name that no other process has. `kept` outlives it.
  desk(store& kept, std::string gateway, desk_bounds at = {});

  /// What is in the store; before anything else.
  stored<> begin();

  /// The grant or the open request for this subject, where there is one; else a new request.
  answer<record> ask(const question& what, wall_time now);
  /// The last session that waited for it here has gone. It is withdrawn where nobody else waits for it;
  /// `stays`: not even then, because this gateway leaves and its clients will be back.
  answer<record> leave(std::int64_t id, bool stays, wall_time now);
  /// `shorter`: of the grant; 0: as asked for.
  answer<record> approve(std::int64_t id, const person& by, const std::string& reason,
                         std::chrono::milliseconds shorter, wall_time now);
  answer<record> deny(std::int64_t id, const person& by, const std::string& reason, wall_time now);
  answer<record> withdraw(std::int64_t id, const person& by, wall_time now);
  answer<record> revoke(std::int64_t id, const person& by, const std::string& reason, wall_time now);
  answer<record> show(std::int64_t id, const person& by, wall_time now);
  /// What `by` may see, the newest first.
  answer<std::vector<record>> list(const person& by, bool live_only, wall_time now);

  /// Ends what is due.
  stored<> sweep(wall_time now);
  /// What was written since this was called last, by whomever.
  stored<std::vector<record>> refresh(wall_time now);
  /// What people have written into the store counts from now on, or does not.
  stored<> judge(wall_time now);
  stored<> tell_alive(wall_time until) { return kept_.tell_alive(gateway_, until); }
  /// Those that ended before, and the oldest where there are too many.
  stored<std::size_t> forget(wall_time before) { return kept_.forget(before, limits::access_records); }
  /// When `sweep` has something to do; nothing: not of itself.
  std::optional<wall_time> next_due() const;
  std::size_t open_requests() const { return open_; }
  std::size_t active_grants() const { return live_.size() - open_; }

  /// In order, each once.
  std::vector<change> take_changes() { return std::exchange(changes_, {}); }
  /// The same of written answers that do not count.
  std::vector<std::pair<record, judged_answer>> take_refused() { return std::exchange(refused_, {}); }

 private:
  /// What a step makes of a record.
  struct verdict {
    bool changed = false;
    std::optional<change> tell = {};  ///< its record is filled in; nothing: it is nobody's business
  };
  using step = std::function<answer<verdict>(record&)>;

  static answer<verdict> approved(record& of, const written_answer& given, wall_time now);
  static answer<verdict> denied(record& of, const written_answer& given, wall_time now);
  static answer<verdict> revoked(record& of, const written_answer& given, wall_time now);
  static answer<verdict> withdrawn(record& of, const written_answer& given, wall_time now);
  static answer<verdict> answered(record& of, const written_answer& given, wall_time now);
  answer<record> answer_one(std::int64_t id, const written_answer& given, wall_time now);
  answer<record> judge_next(std::int64_t id, wall_time now);
  stored<> catch_up();
  void tell_erased(const record& of, wall_time now);
  answer<record> change_one(std::int64_t id, wall_time now, const step& decide);
  answer<std::optional<record>> write(record changed);
  answer<std::optional<record>> join(record found, const question& what);
  answer<std::optional<record>> create(const question& what, wall_time now);
  answer<std::optional<record>> settled(record found, wall_time now);
  answer<> has_room(const std::string& principal);
  answer<bool> waits_elsewhere(const record& of, wall_time now);
  void remember(const record& what);
  void told(change::kind what, const record& of, std::string by, std::string reason = {});

  store& kept_;
  const std::string gateway_;
  const desk_bounds at_;
  std::map<std::int64_t, record> live_;
  std::size_t open_ = 0;
  std::int64_t seen_ = 0;            // version
  std::vector<record> fresh_;        // and not yet handed on
  std::set<std::int64_t> unjudged_;  // have answers that nobody has judged
  std::vector<change> changes_;
  std::vector<std::pair<record, judged_answer>> refused_;
};

}  // namespace trunkline::grants
