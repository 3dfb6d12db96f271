// One worker's part of a pool: its idle connections, last in first out, and its clients that wait for one,
// first in first out. What is here is found without a lock; another worker's is asked for only where this one
// has none. Owner: the pool; everything but the atomics belongs to one loop thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "pool/link.h"
#include "pool/link_opening.h"
#include "pool/link_reset.h"

namespace trunkline::pool {

class link_pool;

/// A client's place in the line. Destroying it leaves the line.
class claim {
 public:
  claim() = default;
  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;
  virtual ~claim();

  bool waits() const { return at_ != nullptr; }
  runtime::time_point since() const { return since_; }

 protected:
  /// Its turn has come. Called on the loop, from whatever gives a connection back.
  virtual void granted(std::unique_ptr<link> made) = 0;
  /// There will be none.
  virtual void refused(const connect_failure& why) = 0;
  /// Its turn comes after so many others, 3, 2, 1 and 0: a moment to bring near what it will touch. In a
  /// crowd nothing of who has waited is in the caches any more, and a turn would begin with dozens of misses,
  /// one after the other.
  virtual void nears(unsigned /*others*/) {}

 private:
  friend class link_shelf;
  class link_shelf* at_ = nullptr;
  claim* previous_ = nullptr;
  claim* next_ = nullptr;
  runtime::time_point since_{};
};

class link_shelf final {
 public:
  link_shelf(link_pool& of, runtime::loop& where, unsigned worker);
  link_shelf(const link_shelf&) = delete;
  link_shelf& operator=(const link_shelf&) = delete;
  ~link_shelf();

  /// Whoever may take connections here, from its login to its end.
  class client_place {
   public:
    explicit client_place(link_shelf& at) : at_(&at) { at.clients_.fetch_add(1, std::memory_order_relaxed); }
    client_place(client_place&& other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
    client_place& operator=(client_place&&) = delete;
    ~client_place() {
      if (at_ != nullptr) at_->clients_.fetch_sub(1, std::memory_order_relaxed);
    }

   private:
    link_shelf* at_;
  };
  /// An idle connection, or null: the claim waits, and hears.
  std::unique_ptr<link> take(claim& who);
  void give_up(claim& who);
  /// At rest, clean, behind a ReadyForQuery.
  void give_back(std::unique_ptr<link> used);
  /// At rest, but with the last client's traces: they are removed first, by these statements.
  void recycle(std::unique_ptr<link> used, bool in_transaction, std::string_view statements);
  /// In no known state, or not wanted any more.
  void discard(std::unique_ptr<link> used);
  /// Idle connections of which that is true are closed.
  void evict(const std::function<bool(const link&)>& which);
  /// Those that no client has. On the worker's thread.
  void for_each_spare(const std::function<void(const link& which, bool idle)>& visit) const;
  /// It rested here, and will not do any more.
  void lost(link& which);
  /// The end: nothing is idle, nothing waits.
  void close();

  runtime::loop& where() { return loop_; }
  link_pool& pool() { return pool_; }
  unsigned worker() const { return worker_; }
  /// For one more unnamed statement of a client here: no two have the same.
  std::uint64_t next_unnamed() { return ++unnamed_; }

  // Any thread:
  std::size_t idle() const { return idle_count_.load(); }
  std::size_t waiting() const { return waiting_count_.load(std::memory_order_relaxed); }
  std::size_t opening() const { return opening_count_.load(std::memory_order_relaxed); }
  std::size_t resetting() const { return resetting_count_.load(std::memory_order_relaxed); }
  std::size_t clients() const { return clients_.load(std::memory_order_relaxed); }
  /// One more connection, or one less, is on its way here from another worker.
  void note_sent(int change) { sent_here_.fetch_add(change, std::memory_order_relaxed); }
  /// When the first of those who wait came; nothing: none waits.
  std::optional<runtime::time_point> first_since() const;
  std::uint64_t waits() const { return waits_.load(std::memory_order_relaxed); }
  std::uint64_t waited_us() const { return waited_us_.load(std::memory_order_relaxed); }

 private:
  friend class link_pool;
  bool fits(const link& which) const;
  bool starves(const link_shelf& other) const;
  void arrived(std::unique_ptr<link> from_elsewhere);
  void lend_to(link_shelf& other);
  void grant(std::unique_ptr<link> made);
  void rest(std::unique_ptr<link> made);
  void find_more();
  bool may_open();
  void use_place();
  void pay();
  void open_one();
  void opened(link_opening& which, link_opening::outcome result);
  connect_failure too_late() const;
  void refuse_all(const connect_failure& why);
  void join(claim& who);
  void part(claim& who);
  void note_first();
  void look_ahead();
  void serve();
  void look_after();
  void note_shortage();
  bool keep_ready();
  void patience_over();
  void arm_care();
  void bury(std::unique_ptr<link> dead, bool say_goodbye);
  std::unique_ptr<link> pop_idle();

  link_pool& pool_;
  runtime::loop& loop_;
  const unsigned worker_;
  std::uint64_t unnamed_ = 0;
  std::vector<std::unique_ptr<link>> idle_;
  std::vector<std::unique_ptr<link_opening>> openings_;
  std::vector<std::unique_ptr<link_reset>> resets_;
  claim* first_ = nullptr;
  claim* last_ = nullptr;
  runtime::timer patience_;  ///< of the first in the line
  runtime::timer care_;      ///< idle connections grow old
  runtime::timer retry_;     ///< after a failed opening
  runtime::duration retry_after_{0};
  runtime::time_point ready_after_{};  ///< `pool.minIdle` waits so long for the next attempt
  runtime::deferred serving_;
  std::atomic<std::size_t> idle_count_{0};
  std::atomic<std::size_t> waiting_count_{0};
  std::atomic<std::size_t> opening_count_{0};
  std::atomic<std::size_t> resetting_count_{0};
  std::atomic<std::size_t> clients_{0};
  std::atomic<int> sent_here_{0};
  std::atomic<std::int64_t> first_since_ns_{0};  ///< 0: none waits
  std::atomic<std::uint64_t> waits_{0};
  std::atomic<std::uint64_t> waited_us_{0};
  bool closed_ = false;
};

}  // namespace trunkline::pool
