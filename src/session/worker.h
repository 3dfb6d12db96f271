// One worker: a thread, its loop, and the sessions that live there. Listening sockets are watched by all
// workers; the one that accepts gives the connection to the worker with the fewest sessions, so that a few
// long-lived connections spread evenly. Owner: main, which destroys it after `join`.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "runtime/loop.h"
#include "runtime/unique_fd.h"
#include "session/cancel_link.h"
#include "session/cancel_sender.h"
#include "session/drain_turns.h"
#include "session/session.h"

namespace trunkline::session {

/// A listening socket, shared by all workers; closed when the last of them has stopped watching it.
struct open_listener {
  std::string name;
  std::shared_ptr<const runtime::unique_fd> socket;
};

/// Which sessions KILL and KILL_CLIENT end.
struct session_kill {
  std::uint64_t id = 0;       ///< of one session; 0: of all that fit the rest
  std::string database = {};  ///< as the client asked for it; empty: any
  std::string upstream = {};  ///< that its route leads to; empty: any
};

class worker final : session_host {
 public:
  worker(unsigned number, std::unique_ptr<runtime::loop> loop, services& shared);
  ~worker() override;

  /// Before `start`: everything is audited into `tap`.
  void audit_into(audit::tap& tap, audit::tap_reader& reader) { observation_.audit_into(tap, reader); }
  /// Before `start`: the workers among which connections are spread, itself included.
  void set_peers(std::span<const std::unique_ptr<worker>> peers) { peers_ = peers; }
  void start();
  void join();
  runtime::loop& where() override { return *loop_; }

  // Any thread:
  /// New connections begin with `setup`; `listeners` are those to watch from now on.
  void configure(std::shared_ptr<const deployment> setup, std::vector<open_listener> listeners);
  /// Sessions end as they come to rest; those that rest already, one after the other within `spread`. New
  /// ones are refused, cancel requests still served.
  void drain(runtime::duration spread);
  /// Sessions on that server end, as far as it is no longer right for them.
  void evict(const pool::eviction& why);
  /// These end now. `answer` gets how many, on the loop.
  void kill(session_kill which, std::move_only_function<void(std::size_t)> answer);
  /// Sessions on that server look whether they are held.
  void look_at_hold(std::shared_ptr<const pool::member> of);
  /// What is left ends now. The loop stops when all have said goodbye.
  void stop();
  /// Another process has taken over: what it sends through `link` is for sessions of this one.
  void serve_younger(runtime::unique_fd link);
  std::size_t sessions() const { return count_.load(std::memory_order_relaxed); }
  /// Calls `take` on the loop with what its sessions, and its part of the pools, are at that moment.
  void look(std::move_only_function<void(sessions_view)> take);
  /// For reading: routes, metrics and recorder.
  observation& seen() { return observation_; }

 private:
  class acceptor final : public runtime::accept_handler {
   public:
    acceptor(worker& owner, open_listener listener);
    void on_acceptable() override;
    /// The process is out of descriptors or memory: accepting at once again would only spin.
    void pause();
    void watch();
    const open_listener& listener() const { return listener_; }

   private:
    worker& owner_;
    open_listener listener_;
    std::unique_ptr<runtime::accept_watch> watch_;
    runtime::timer retry_;
    int burst_ = 1;  ///< so many at once next time
  };

  services& shared() override { return shared_; }
  observation& observe() override { return observation_; }
  const std::shared_ptr<const deployment>& newest() const override { return setup_; }
  bool ends_sessions() const override { return draining_; }
  void run_cancel(std::shared_ptr<const cancel_target> target, cancel_effort effort,
                  std::move_only_function<void(bool)> after) override;
  sql::effects_cache& effects() override;
  void session_over(session& which) override;

  bool accept_one(acceptor& from);
  worker& least_loaded();
  void take(int socket, net::socket_address peer, std::string listener);
  void begin(int socket, const net::socket_address& peer, const std::string& listener);
  half_open_places places_of(const std::string& key, const net::socket_address& peer, std::size_t most,
                             std::size_t most_of_source);
  void take_cancel(int socket, std::string client);
  void adopt(session_facts facts, int socket, const net::socket_address& peer, half_open_places half_open);
  void refuse(int socket, const std::string& why);
  template <class Visit>
  void for_each_session(Visit&& visit);
  void stop_when_empty();
  void begin_drain(runtime::duration spread);
  void await_drain_turn();
  void drain_next();
  void pulse();

  const unsigned number_;
  std::unique_ptr<runtime::loop> loop_;
  services& shared_;
  observation observation_;
  std::unique_ptr<sql::effects_cache> effects_;  ///< once a session is pooled
  runtime::timer pulse_;
  runtime::duration busy_told_{0};
  std::span<const std::unique_ptr<worker>> peers_;
  std::shared_ptr<const deployment> setup_;
  std::vector<std::unique_ptr<acceptor>> acceptors_;
  std::unique_ptr<younger_door> younger_;
  std::vector<std::unique_ptr<cancel_errand>> errands_;
  session* first_ = nullptr;
  std::atomic<std::size_t> count_{0};
  bool stopping_ = false;
  bool draining_ = false;
  drain_turns drain_turns_;
  runtime::timer drain_turn_;
  std::thread thread_;
};

}  // namespace trunkline::session
