// Watches one session's bytes for those who ask later: what each exchange cost, which failed, who ran what.
// Told by the relay what happens on both legs; writes into its worker's observation, and never changes, holds
// or delays a byte. Owner: the relay; one loop thread.
#pragma once

#include <memory>
#include <optional>

#include "protocol/session_tracker.h"
#include "runtime/byte_stream.h"
#include "session/facts.h"
#include "session/observation.h"
#include "session/observer.h"

namespace trunkline::session {

class exchange_observer {
 public:
  exchange_observer(runtime::loop& where, observation& into, audit_gate* gate, session_facts& facts);
  exchange_observer(const exchange_observer&) = delete;
  exchange_observer& operator=(const exchange_observer&) = delete;

  /// What it knows of a session that is at rest, for the observer that comes after it.
  struct memory {
    std::unique_ptr<statement_names> names = nullptr;
    std::unique_ptr<telemetry::exchange_facts> slowest = nullptr;
    std::uint64_t exchanges = 0;
    runtime::time_point previous_over{};
    std::uint32_t retransmits[telemetry::side_count]{};
  };

  /// Before the first byte. Both live as long as the relay.
  void watch(runtime::byte_stream& client, runtime::byte_stream& server) { watch(client, server, {}); }
  void watch(runtime::byte_stream& client, runtime::byte_stream& server, memory before);
  bool at_rest() const { return flight_ == nullptr && !open_; }
  /// Precondition: at rest. It is not told anything any more.
  memory take_memory();

  // ---- the relay says ----

  /// A chunk was read and is about to be walked; then that it was, and is on its way.
  void client_chunk(bool at_boundary);
  void client_chunk_walked(std::size_t bytes);
  void server_chunk(std::size_t bytes);
  void client_held() { stall(true); }
  void client_drained();
  void server_held() { stall(false); }
  void lease_waited();
  void lease_nears() const;
  void server_drained();
  /// The session ended. `code`: of the server's FATAL.
  void ended(std::optional<sqlstate> code, char status);

  // ---- as a listener of the session tracker ----

  std::uint32_t client_message(char type, std::uint32_t length, std::uint64_t request);
  void client_body(char type, byte_span piece, bool last);
  std::uint32_t server_message(char type, std::uint32_t length, std::uint64_t request);
  void server_body(char type, byte_span piece, bool last);
  void error_response(std::uint64_t request, const protocol::error_scan& what);
  void ready_for_query(std::uint64_t request, char status);

  // ---- for those who look ----

  std::uint64_t exchanges() const { return exchanges_; }
  /// Since when the present exchange has been going on.
  std::optional<runtime::time_point> exchange_began() const;
  /// The slowest exchange of the session, where one was slow at all.
  const telemetry::exchange_facts* slowest() const { return slowest_.get(); }
  /// A leg as TCP saw it when it was last asked; nothing of a unix socket.
  std::optional<leg_view> leg(telemetry::side which) const;

 private:
  using time_point = runtime::time_point;

  time_point arrival(const runtime::byte_stream& stream) const;
  std::uint32_t begin_statement(char type, std::uint32_t length, std::uint64_t request);
  std::uint32_t begin_tap(char type, std::uint32_t length, std::uint64_t request);
  void learn_name(byte_span piece, bool last);
  void stall(bool client);
  void look_at_path(runtime::duration interval);
  std::chrono::nanoseconds server_rtt() const {
    return std::chrono::microseconds(rtts_us_[static_cast<std::size_t>(telemetry::side::server)]);
  }
  void turn_over(time_point now);
  void exchange_over(const telemetry::exchange_facts& facts);
  void remember(const telemetry::exchange_facts& facts);
  void tap_answer(char type, std::uint64_t request, byte_span body);
  void rest();

  runtime::loop& loop_;
  observation& into_;
  session_facts& facts_;
  telemetry::route_metrics& metrics_;
  audit_gate* const gate_;  // null: no audit
  runtime::byte_stream* client_ = nullptr;
  runtime::byte_stream* server_ = nullptr;
  runtime::turn_hook hook_;
  std::unique_ptr<exchange_in_flight> flight_;  // while something is outstanding
  std::unique_ptr<statement_names> names_;      // once a statement was prepared by name
  std::unique_ptr<telemetry::exchange_facts> slowest_;
  std::uint64_t exchanges_ = 0;
  time_point chunk_arrived_{};  // of the chunk in hand
  time_point message_began_{};  // when the first byte of the message in hand arrived
  time_point previous_over_{};  // T5 of the last exchange
  time_point path_looked_at_{};
  time_point taken_again_{};  // the turn in which a socket took what it had not taken before
  std::uint32_t rtts_us_[telemetry::side_count]{};  // 0: not known
  std::uint32_t retransmits_[telemetry::side_count]{};
  bool open_ = false;         // in a transaction, behind the last exchange
  bool head_wanted_ = false;  // of the client's message in hand
  bool name_wanted_ = false;
};

}  // namespace trunkline::session
