// How many server connections the pools of one upstream may have together, in all and for each user, and who
// gives one where that is reached: a pool with idle ones, else the one that has most of them, as long as it
// has at least two more than the pool that asks. So pools that want more than there is come to have equally
// many, and where there are more pools than connections they take turns. Asked where a connection begins and
// ends, never while one is used: a mutex. Owner: the upstream's `pool_group`. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "runtime/timer.h"

namespace trunkline::pool {

/// A pool, as the budget sees it. What it is asked is asked under the budget's mutex: it must not call back.
class budget_member {
 public:
  virtual ~budget_member() = default;
  /// True: a connection that is at rest is to be closed, since another pool is to have its place.
  bool pays() {
    auto owed = debts_.load(std::memory_order_relaxed);
    while (owed > 0)
      if (debts_.compare_exchange_weak(owed, owed - 1, std::memory_order_relaxed)) return true;
    return false;
  }

 protected:
  budget_member() = default;
  budget_member(const budget_member&) = delete;
  budget_member& operator=(const budget_member&) = delete;

 private:
  friend class connection_budget;
  virtual const std::string& budget_user() const = 0;  ///< always the same
  virtual std::size_t spare_connections() const = 0;
  virtual std::size_t waiting_clients() const = 0;
  /// Since when its first client waits; nothing: none does.
  virtual std::optional<runtime::time_point> waits_since() const = 0;
  /// `pays` has become true: it may have something that is at rest already.
  virtual void asked_to_pay() = 0;
  /// The next `enter` succeeds, if it comes soon. False: nobody there wants it any more.
  virtual bool place_is_free() = 0;

  std::atomic<std::size_t> debts_{0};
  // Under the budget's mutex:
  std::size_t has_ = 0;       // connections
  std::size_t places_ = 0;    // it may have so many more at once
  std::size_t promised_ = 0;  // others have been asked to give it so many
  bool hungry_ = false;
};

class connection_budget {
 public:
  connection_budget() = default;
  connection_budget(const connection_budget&) = delete;
  connection_budget& operator=(const connection_budget&) = delete;

  /// 0: no bound. Where there are more already, pools that have most close what comes to rest.
  void set(std::size_t most, std::size_t per_user);
  void join(budget_member& who);
  /// It does not exist any more.
  void part(budget_member& who);

  /// A place for one more connection. False: there is none now; somebody is asked to give one, and `who` gets
  /// it, where its clients still wait for it.
  bool enter(budget_member& who, runtime::time_point now);
  void leave(budget_member& who, std::size_t how_many);
  /// It makes no use of the places that it was given.
  void pass_on(budget_member& who);

  std::size_t total() const;
  bool has_bounds() const;

 private:
  bool has_room(const budget_member& who) const;
  void take(budget_member& who);
  void drop(budget_member& who, std::size_t how_many);
  void drop_places(budget_member& who);
  void want(budget_member& who, runtime::time_point now);
  budget_member* giver_for(const budget_member& who, runtime::time_point now) const;
  void hand_out();
  void shrink(const std::string* user, std::size_t most);
  std::size_t of_user(const std::string& user) const;

  mutable std::mutex mutex_;
  std::size_t most_ = 0;
  std::size_t per_user_ = 0;
  std::size_t total_ = 0;  // connections and places
  std::unordered_map<std::string, std::size_t> by_user_;
  std::vector<budget_member*> members_;
  std::size_t hungry_ = 0;  // so many of them
  runtime::time_point looked_{};
};

}  // namespace trunkline::pool
