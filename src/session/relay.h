// The road: what one side sends is walked in place, header by header, and written to the other side at once.
// What the kernel does not take is kept, and nothing more is read from that side until it is gone: that is
// all the back-pressure there is (product.md G1-G3). Owner: the session; one loop thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "protocol/session_tracker.h"
#include "runtime/loop.h"
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

class relay {
 public:
  struct legs {
    std::unique_ptr<runtime::byte_stream> client;
    std::unique_ptr<runtime::byte_stream> server;
    std::vector<runtime::buffer> from_client;  ///< received during the login, not yet sent on
    std::vector<runtime::buffer> from_server;
  };

  relay(runtime::loop& where, session_facts& facts, relay_owner& owner, legs with, bool opaque);
  ~relay();

  /// `client_end`, `server_end`: a FIN that came during the login.
  void start(std::optional<runtime::stream_end> client_end, std::optional<runtime::stream_end> server_end);
  void on_event(relay_event event);
  /// For the session once the relay has ended, or to end it.
  std::unique_ptr<runtime::byte_stream> take_client() { return std::move(client_.stream); }
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

 private:
  using stream_owner = std::unique_ptr<runtime::byte_stream>;
  /// A peer that takes nothing for a while is slow, not gone: TCP_USER_TIMEOUT, which does not tell the two
  /// apart where the window is closed, is lifted in time, and unanswered probes decide (docs/decisions/0007).
  struct stall_watch {
    std::optional<runtime::time_point> since;  ///< held bytes wait for this leg
    bool patient = false;                      ///< TCP_USER_TIMEOUT is lifted
  };
  struct client_leg final : runtime::stream_handler {
    explicit client_leg(relay& of) : owner(of) {}
    void on_received(runtime::buffer data) override { owner.client_received(std::move(data)); }
    void on_held() override { owner.held(stall, owner.server_.stream); }
    void on_drained() override { owner.drained(stall, stream, owner.server_.stream); }
    void on_end(runtime::stream_end end) override;
    relay& owner;
    std::unique_ptr<runtime::byte_stream> stream;
    stall_watch stall;
  };
  struct server_leg final : runtime::stream_handler {
    explicit server_leg(relay& of) : owner(of) {}
    void on_received(runtime::buffer data) override { owner.server_received(std::move(data)); }
    void on_held() override { owner.held(stall, owner.client_.stream); }
    void on_drained() override { owner.drained(stall, stream, owner.client_.stream); }
    void on_end(runtime::stream_end end) override;
    relay& owner;
    std::unique_ptr<runtime::byte_stream> stream;
    stall_watch stall;
  };

  void client_received(runtime::buffer data);
  void server_received(runtime::buffer data);
  void watch_rest();
  void held(stall_watch& stall, stream_owner& source);
  void drained(stall_watch& stall, stream_owner& drained, stream_owner& source);
  void look_at_pipeline();
  void look_at_stalls();
  /// True: the peer no longer answers.
  bool is_gone(stall_watch& stall, const stream_owner& stream);
  relay_view view() const;
  void perform(relay_actions actions);
  void end(relay_actions actions);

  runtime::loop& loop_;
  session_facts& facts_;
  relay_owner& owner_;
  protocol::session_tracker tracker_;
  relay_machine machine_;
  client_leg client_;
  server_leg server_;
  runtime::timer wait_;
  runtime::timer stall_;
  std::vector<runtime::buffer> from_client_;
  std::vector<runtime::buffer> from_server_;
  std::optional<runtime::time_point> transaction_began_;
  std::uint64_t bytes_when_armed_ = 0;
  const bool opaque_;
  bool watching_rest_ = false;   ///< draining, or a transactionTimeout: look at the state after each chunk
  bool client_boundary_ = true;  ///< as of the last chunk that was sent to the client
  bool crowded_ = false;         ///< too many requests wait for their answers: the client is not read
  bool ended_ = false;
};

}  // namespace trunkline::session
