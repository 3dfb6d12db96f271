// The thread of the desk and its store: sessions and the API hand in errands, and hear what becomes of them.
// It ends what is due, looks several times a second whether another gateway has written, and says each
// change once to whoever keeps record. Where the store fails, requests and answers are refused, and what was
// granted goes on until its end: sessions know that themselves. Owner: main, which destroys it after the
// sessions; everything else is for any thread.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "grants/desk.h"
#include "grants/stay.h"
#include "runtime/owned_thread.h"
#include "telemetry/logger.h"

namespace trunkline::grants {

class office {
 public:
  struct parts {
    std::unique_ptr<store> kept;
    std::string gateway;                      ///< a name that no other process has
    std::function<void(const change&)> tell;  ///< on the office's thread, each change that is made here
    telemetry::logger& log;
    /// Empty: the store's.
    std::function<wall_time()> clock = {};
    /// On the office's thread, each grant that has ended, whoever ended it, when its sessions know. May be
    /// empty.
    std::function<void(const record&)> grant_over = {};
    /// What is asked for by somebody who has put it into the store. Empty: nobody can.
    std::function<answer<question>(const wish&)> question_of = {};
    /// On the office's thread: an answer that was written into the store does not count. May be empty.
    std::function<void(const record&, const judged_answer&)> refused = {};
  };
  struct figures {
    std::array<std::uint64_t, change_kinds> changes{};  ///< made here, by change::kind
    std::uint64_t refused = 0;
    std::size_t open = 0;    ///< requests, of all gateways
    std::size_t active = 0;  ///< grants
    bool works = true;       ///< the store
  };

  explicit office(parts with);
  office(const office&) = delete;
  office& operator=(const office&) = delete;
  ~office();

  /// A session asks to be let in. Its answer comes by `stay::now`, at the latest when the store is given up.
  std::unique_ptr<stay> ask(question what, stay::listener changed);

  /// An errand of the API: waits for it, up to limits::access_answer. Never on a loop.
  template <class T>
  answer<T> call(std::move_only_function<answer<T>(desk&, wall_time)> todo) {
    auto made = std::make_shared<std::promise<answer<T>>>();
    auto got = made->get_future();
    const bool taken = hand_in(
        [made, todo = std::move(todo)](desk& at, wall_time now) mutable { made->set_value(todo(at, now)); });
    if (!taken) return std::unexpected(refusal{refusal::kind::limit, "too many requests wait for the store"});
    if (got.wait_for(limits::access_answer) != std::future_status::ready)
      return std::unexpected(refusal{refusal::kind::unavailable, "the store of requests does not answer"});
    return got.get();
  }

  /// From now on sessions that leave do so because the gateway does: their requests stay open for when they
  /// are back.
  void begin_leaving() { leaving_.store(true); }
  figures seen() const;

 private:
  friend class stay;
  using errand = std::move_only_function<void(desk&, wall_time)>;

  bool hand_in(errand what);
  void poke();
  std::chrono::milliseconds patience();
  void leave(std::shared_ptr<stay::state> who);
  void serve();
  /// False: it is over.
  bool do_errands();
  void answer_session(desk& at, const std::shared_ptr<stay::state>& who, const question& what, wall_time now);
  void forget_session(desk& at, const std::shared_ptr<stay::state>& who, wall_time now);
  void look(wall_time now);
  void look_at_wishes(wall_time now);
  void look_after_store(wall_time now);
  void deliver();
  void report();
  template <class T>
  bool worked(const stored<T>& what);

  std::unique_ptr<store> kept_;
  desk desk_;
  const std::function<void(const change&)> tell_;
  telemetry::logger& log_;
  const std::function<wall_time()> clock_;
  const std::function<void(const record&)> grant_over_;
  const std::function<answer<question>(const wish&)> question_of_;
  const std::function<void(const record&, const judged_answer&)> refused_one_;

  // The office's thread only:
  std::map<std::int64_t, std::vector<std::shared_ptr<stay::state>>> sessions_;  // by request
  wall_time alive_told_{};
  wall_time forgot_{};
  std::string problem_;  ///< of the store, in this turn

  std::atomic<bool> leaving_{false};
  std::array<std::atomic<std::uint64_t>, change_kinds> changes_{};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::size_t> open_{0};
  std::atomic<std::size_t> active_{0};
  std::atomic<bool> works_{true};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<errand> errands_;
  bool poked_ = false;
  bool stopping_ = false;
  // Last: they use the others, the store's watch from a thread of its own.
  bool is_told_ = false;  ///< by the store
  runtime::owned_thread thread_;
};

}  // namespace trunkline::grants
