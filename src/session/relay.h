// The road: what one side sends is walked in place, header by header, and written to the other side at once.
// What the kernel does not take is kept, and nothing more is read from that side until it is gone: that is
// all the back-pressure there is (product.md G1-G3); only an audit that must not lose anything may hold a
// chunk (G10). Owner: the session; one loop thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "protocol/session_tracker.h"
#include "runtime/loop.h"
#include "runtime/object_slab.h"
#include "session/exchange_observer.h"
#include "session/facts.h"
#include "session/relay_machine.h"

namespace trunkline::session {

/// Whoever owns a relay. Called on the loop; may not destroy the relay inside the call.
class relay_owner {
 public:
  virtual ~relay_owner() = default;
  virtual void cancel_statement() = 0;
  /// The session is over. `last_word` is an ErrorResponse or empty; the streams are still the relay's.
  virtual void relay_ended(telemetry::close_cause cause, std::vector<std::byte> last_word,
                           bool reset_client) = 0;
};

class relay final : public runtime::slab_object<relay>, private audit_gate::waiter {
 public:
  struct legs {
    std::unique_ptr<runtime::byte_stream> client;
    std::unique_ptr<runtime::byte_stream> server;
  };
  /// What came of one leg during the login and is not yet sent on, and its FIN.
  struct early {
    std::vector<runtime::buffer> chunks = {};
    std::optional<runtime::stream_end> end = {};
  };

  /// `gate` null: not audited. `seen_before`: of the relay that this one goes on for.
  relay(runtime::loop& where, observation& into, audit_gate* gate, session_facts& facts, relay_owner& owner,
        legs with, bool opaque, exchange_observer::memory seen_before = {});
  ~relay() override;

  void start(early from_client, early from_server);
  void on_event(relay_event event);
  /// There is no server for it any more.
  void fail(telemetry::cause what, error why);
  /// A wait for a server connection is over.
  void lease_waited() {
    if (observer_) observer_->lease_waited();
  }
  /// It soon will be.
  void lease_nears() const;
  /// The server's `held` has changed: while it is set the client is not read between two transactions.
  void look_at_hold();
  /// For the session once the relay has ended, or to end it.
  std::unique_ptr<runtime::byte_stream> take_client() { return std::move(client_.stream); }
  /// Nothing is under way, and a fresh relay with `take_memory` would go on as this one.
  bool is_replaceable() const;
  exchange_observer::memory take_memory() { return observer_->take_memory(); }
  const runtime::byte_stream* client() const { return client_.stream.get(); }
  const runtime::byte_stream* server() const { return server_.stream.get(); }
  /// Its FIN has come.
  bool client_finished() const { return machine_.client_finished(); }
  char transaction_status() const;
  /// When the open transaction began; nothing outside of one. Kept only where the route has a
  /// transactionTimeout.
  std::optional<runtime::time_point> transaction_began() const { return transaction_began_; }
  /// Outside of a transaction, with nothing outstanding: what PostgreSQL's idle_session_timeout means by
  /// idle.
  bool idle() const { return opaque_ || (!tracker_.busy() && transaction_status() == 'I'); }
  /// The last chunk was somebody's last word (Terminate, or a FATAL): it does not count as activity.
  bool last_word_said() const { return tracker_.terminate_seen() || tracker_.fatal_sqlstate(); }
  /// Nothing for a session whose bytes cannot be read.
  const exchange_observer* observer() const { return observer_ ? &*observer_ : nullptr; }

 private:
  using stream_owner = std::unique_ptr<runtime::byte_stream>;
  /// A peer that takes nothing for a while is slow, not gone: TCP_USER_TIMEOUT, which does not tell the two
  /// apart where the window is closed, is lifted in time, and unanswered probes decide (docs/decisions/0007).
  struct stall_watch {
    std::optional<runtime::time_point> since;  ///< held bytes wait for this leg
    bool patient = false;                      ///< TCP_USER_TIMEOUT is lifted
  };
  /// What was received while the audit had no room, and the end that came behind it.
  struct parking {
    std::vector<runtime::buffer> chunks;
    std::optional<runtime::stream_end> end;
  };
  using parking_place = std::unique_ptr<parking>;  // null: nothing is parked
  struct client_leg final : runtime::stream_handler {
    explicit client_leg(relay& of) : owner(of) {}
    void on_received(runtime::buffer data) override { owner.client_received(std::move(data)); }
    void on_held() override { owner.client_held(); }
    void on_drained() override { owner.client_drained(); }
    void on_end(runtime::stream_end end) override;
    relay& owner;
    std::unique_ptr<runtime::byte_stream> stream;
    stall_watch stall;
    parking_place parked;
  };
  struct server_leg final : runtime::stream_handler {
    explicit server_leg(relay& of) : owner(of) {}
    void on_received(runtime::buffer data) override { owner.server_received(std::move(data)); }
    void on_held() override { owner.server_held(); }
    void on_drained() override { owner.server_drained(); }
    void on_end(runtime::stream_end end) override;
    relay& owner;
    std::unique_ptr<runtime::byte_stream> stream;
    stall_watch stall;
    parking_place parked;
  };

  void client_received(runtime::buffer data);
  void server_received(runtime::buffer data);
  void carry_to_server(runtime::buffer data);
  void carry_to_client(runtime::buffer data);
  protocol::walk_result walk_client(byte_span chunk);
  protocol::walk_result walk_server(byte_span chunk);
  void watch_rest();
  void client_held();
  void server_held();
  void client_drained();
  void server_drained();
  void held(stall_watch& stall);
  void drained(stall_watch& stall, stream_owner& drained);
  void resume_client();
  void resume_server();
  bool must_park(const parking_place& parked);
  void park(parking_place& parked, stream_owner& source, runtime::buffer data);
  std::optional<runtime::stream_end> carry_parked(parking_place& parked,
                                                  void (relay::*carry)(runtime::buffer));
  void gate_changed(bool open) override;
  void rest(bool resting);
  bool must_watch_rest() const;
  void look_at_pipeline();
  void look_again();
  void look_at_stalls();
  bool is_newcomer() const;
  /// True: the peer no longer answers.
  bool is_gone(stall_watch& stall, const stream_owner& stream);
  relay_view view() const;
  void perform(relay_actions actions);
  void end(relay_actions actions);

  runtime::loop& loop_;
  session_facts& facts_;
  relay_owner& owner_;
  protocol::session_tracker tracker_;
  std::optional<exchange_observer> observer_;
  audit_gate* const gate_;  // null: no audit
  relay_machine machine_;
  client_leg client_;
  server_leg server_;
  runtime::timer wait_;
  runtime::timer stall_;
  std::optional<runtime::time_point> transaction_began_;
  std::uint64_t bytes_when_armed_ = 0;
  const bool opaque_;
  bool watching_rest_ = false;   ///< draining, or a transactionTimeout: look at the state after each chunk
  bool client_boundary_ = true;  ///< as of the last chunk that was sent to the client
  bool crowded_ = false;         ///< too many requests wait for their answers: the client is not read
  bool resting_ = false;         ///< held between two transactions: the client is not read
  bool ended_ = false;
};

}  // namespace trunkline::session
