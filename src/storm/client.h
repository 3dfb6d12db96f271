// One client of the storm: logs in, does its rounds at its pace, notes what each stage took and what went
// wrong, and comes back after each failure. What a round is, its workload says (rounds.h). Owner: a crowd, on
// the loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>

#include "storm/login_gate.h"
#include "storm/session.h"

namespace trunkline::storm {

/// What all clients of a crowd look at.
struct crowd_rules {
  explicit crowd_rules(double logins_per_second) : gate(logins_per_second) {}

  login_gate gate;
  runtime::time_point began{};         ///< of the path's run; moved on by what it stood still
  std::size_t wanted = 0;              ///< clients with a smaller number are to be there
  bool in_turn = true;                 ///< rounds may begin
  std::size_t under_way = 0;           ///< rounds
  runtime::signal* changed = nullptr;  ///< raised when there is none any more
  bool stopping = false;               ///< finish what you do
  bool short_lived = false;
};

/// Counts a round while it lives.
class round_mark {
 public:
  explicit round_mark(crowd_rules& rules) : rules_(rules) { ++rules_.under_way; }
  round_mark(const round_mark&) = delete;
  round_mark& operator=(const round_mark&) = delete;
  ~round_mark() {
    if (--rules_.under_way == 0 && !rules_.in_turn) rules_.changed->raise();
  }

 private:
  crowd_rules& rules_;
};

class client final : public stage_witness {
 public:
  client(path& of, crowd_rules& rules, std::uint32_t number, workload kind);
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Until the crowd stops.
  static runtime::task<void> live(client* self);
  /// Logs in, does one round and leaves. Answers what went wrong first, which is not noted.
  static runtime::task<std::optional<problem>> rehearse(client* self);
  /// Something of `crowd_rules` has changed.
  void wake() { changed_.raise(); }

  // For its rounds. Each step notes what it took, and what went wrong; false: the round is over.
  static runtime::task<bool> open(client* self, session* which);
  static runtime::task<bool> ask(client* self, session* which, exchange* what);
  static runtime::task<bool> leave(client* self, session* which);
  /// False: the crowd stops.
  static runtime::task<bool> rest(client* self, runtime::duration time);
  /// Does nothing; also no longer than the path's turn. False: it was over sooner.
  static runtime::task<bool> doze(client* self, runtime::duration time);
  void found(problem what, const connection& at);
  /// For a step that its round has timed itself.
  void answered(stage in, microseconds took);

  session& main() { return main_; }
  /// A second session, for rounds that need one.
  session& helper() { return helper_; }
  /// Ends without a goodbye.
  void drop_all();
  path& of() const { return *path_; }
  const settings& how() const { return *path_->how; }
  std::uint32_t number() const { return number_; }
  /// Of the next request: nobody else's, and no other request's.
  asker next_asker() { return {path_->run, number_, session_number_, ++request_number_}; }
  std::uint32_t session_number() const { return session_number_; }
  std::uint64_t rounds() const { return rounds_; }
  /// From `least` to `most`.
  std::uint64_t draw(std::uint64_t least, std::uint64_t most);
  bool stopping() const { return rules_->stopping; }
  /// What the round's workload keeps between two rounds of one session.
  bool& prepared() { return prepared_; }
  runtime::signal& changed() { return changed_; }

 private:
  void stage_took(stage which, microseconds took, runtime::duration stalled, bool own_pace) override;
  static runtime::task<void> await_due(client* self);
  static runtime::task<void> round(client* self);
  static runtime::task<void> leave_all(client* self);
  bool goes_on() const { return rules_->in_turn && !stopping(); }
  bool may_begin() const { return goes_on() && wanted(); }
  bool wanted() const { return number_ < rules_->wanted; }
  bool leaves_after_each() const { return rules_->short_lived || kind_ == workload::login; }
  runtime::duration pace() const;
  microseconds path_time() const;
  void plan_first();
  void plan_next();

  path* path_;
  crowd_rules* rules_;
  const std::uint32_t number_;
  const workload kind_;
  runtime::signal changed_;
  session main_;
  session helper_;
  std::minstd_rand random_;
  std::uint32_t session_number_ = 0;
  std::uint64_t request_number_ = 0;
  std::uint64_t rounds_ = 0;
  std::uint32_t failures_ = 0;           // in a row
  std::optional<microseconds> planned_;  // the next round, in the path's time
  bool prepared_ = false;
  bool rehearses_ = false;
  std::optional<problem> first_problem_;
};

}  // namespace trunkline::storm
