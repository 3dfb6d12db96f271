// Where the time of a session's exchanges goes (interfaces.md, "Time attribution of one exchange"): fed what
// happens on both legs and when, answers what each exchange cost. Pure: time is a parameter. Exists only
// while something is outstanding. Owner: the observer of one session; one loop thread.
//
//     T1 first byte of the request read        ┐ client_upload
//        its last byte read                    ┘┐
//     T2 its last byte with the server's socket ┘ gateway
//     T3 first byte of the answer read          server + network
//     T4 ReadyForQuery read                     transfer
//     T5 its last byte with the client's socket     gateway, but for what the socket did not take
//
// What waited in our own sockets because the loop was late is the gateway's time: "read" is when bytes
// arrived, where that is known. What the server's socket did not take is the server's.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "telemetry/exchange.h"

namespace trunkline::session {

class exchange_timer {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  /// Nothing is outstanding and nothing waits to be delivered: may be thrown away or used again.
  bool at_rest() const { return requests_ == 0 && done_.empty(); }
  bool has_done() const { return !done_.empty(); }
  /// Before it serves another session.
  void forget_stalls() { server_stalled_ = client_stalled_ = time_point(); }
  /// Some request is not answered yet. `began`: T1 of the first one.
  bool outstanding() const { return requests_ != 0; }
  time_point began() const { return front_.first; }
  /// How long that one has been going on, its waits for a server connection aside.
  nanoseconds busy(time_point now) const {
    return now - front_.first - front_.lease_wait - costs_[static_cast<std::size_t>(telemetry::phase::wait)];
  }

  // ---- the client leg ----

  /// Bytes of a message that began at `arrived`. `ends`: ReadyForQuery answers it. `request` is its number.
  void request(time_point arrived, std::uint64_t request, telemetry::exchange_kind kind, bool ends);
  /// Once per chunk, behind its requests: it was read at `arrived` and is on its way to the server. `rtt` is
  /// the server leg's, here and below.
  void request_bytes(time_point arrived, std::size_t bytes, nanoseconds rtt);
  /// All that was read so far is with the server's socket.
  void sent(time_point now);
  void server_stalls(time_point since) { server_stalled_ = since; }
  void server_takes(time_point now);
  /// What looked like a stall was the wait for a server connection.
  void lease_taken(time_point now);

  // ---- the server leg ----

  /// Once per chunk, before its messages. `read` is later than `arrived` where the loop was late.
  void answer_bytes(time_point arrived, time_point read, std::size_t bytes);
  void kind_is(telemetry::exchange_kind kind) { front_.kind = kind; }
  void failed(sqlstate code);
  /// ReadyForQuery for all requests up to this number.
  void ready(std::uint64_t request, char status, nanoseconds rtt);
  /// The session ended: what is outstanding was cut off.
  void cut_off(time_point now, sqlstate code, char status, nanoseconds rtt);
  void client_stalls(time_point since) { client_stalled_ = since; }
  void client_takes(time_point now);

  /// All that was answered is with the client's socket since `now`: hands the exchanges that are over to
  /// `take(const telemetry::exchange_facts&)`, in order.
  template <class Take>
  void delivered(time_point now, Take&& take) {
    for (answered& each : done_) {
      each.facts.total = now - each.facts.began;
      each.facts.at(telemetry::phase::gateway) += std::max(now - each.read - each.stalled, nanoseconds(0));
      take(std::as_const(each.facts));
    }
    done_.clear();
  }

 private:
  struct waiting {
    time_point first{};
    time_point last{};              ///< its last byte so far was read
    time_point sent{};              ///< nothing: not yet
    nanoseconds upload{0};          ///< in which the client had not sent all of it
    nanoseconds server_stall{0};    ///< in which the server's socket took nothing of it, since `last`,
    nanoseconds stalled_before{0};  ///< and before
    nanoseconds lease_wait{0};      ///< in which there was no server for it
    std::uint64_t last_request = 0;
    std::uint64_t bytes = 0;
    telemetry::exchange_kind kind = telemetry::exchange_kind::simple;
    bool ended = false;  ///< nothing more of it will come
  };

  struct answered {
    telemetry::exchange_facts facts;
    time_point read;         ///< its ReadyForQuery was
    nanoseconds stalled{0};  ///< since then, in which the client's socket took nothing
  };

  waiting& newest() { return requests_ == 1 ? front_ : behind_->back(); }
  void open(time_point arrived, telemetry::exchange_kind kind);
  void settle(nanoseconds rtt);
  void finish(char status, nanoseconds rtt);
  void next();
  template <class Visit>
  void each_unsent(Visit&& visit);

  waiting front_;
  std::unique_ptr<std::deque<waiting>> behind_;  // requests sent ahead of answers: a deep pipeline only
  std::size_t requests_ = 0;
  std::vector<answered> done_;  // wait to be delivered

  // The answer to `front_`, and what is known of its costs so far.
  time_point answer_first_{};  // nothing: none yet, to what was sent last
  time_point answer_last_{};   // when its last chunk arrived
  time_point answer_read_{};   // and when it was read
  nanoseconds answer_late_{0};
  nanoseconds client_stall_{0};
  std::array<nanoseconds, telemetry::phase_count> costs_{};
  std::uint64_t answer_bytes_ = 0;
  sqlstate code_;
  bool failed_ = false;

  time_point previous_answer_{};  // when the last answer was over
  time_point server_stalled_{};   // nothing: it takes what we have
  time_point client_stalled_{};
};

}  // namespace trunkline::session
