// One client's life: login, relay, farewell, each an object that exists only in its phase; and the one log
// line at its end. A pooled client that does nothing for a while sleeps: it has no relay then, and no server
// leg. Owner: a worker; one loop thread.
#pragma once

#include <functional>
#include <memory>

#include "pool/eviction.h"
#include "session/cancel_registry.h"
#include "session/cancel_sender.h"
#include "session/console_session.h"
#include "session/facts.h"
#include "session/farewell.h"
#include "session/login.h"
#include "session/observer.h"
#include "session/pooled_server.h"
#include "session/relay.h"
#include "session/services.h"
#include "session/statement_guard.h"

namespace trunkline::session {

class session;

/// What a session needs of its worker.
class session_host {
 public:
  virtual ~session_host() = default;
  virtual runtime::loop& where() = 0;
  virtual services& shared() = 0;
  virtual observation& observe() = 0;
  /// The newest configuration.
  virtual const std::shared_ptr<const deployment>& newest() const = 0;
  /// Who comes out of its login now ends as soon as it rests.
  virtual bool ends_sessions() const = 0;
  /// Runs a CancelRequest that outlives the session.
  /// `after` is called on the loop when the server has heard of it, or cannot; may be empty.
  virtual void run_cancel(std::shared_ptr<const cancel_target> target, cancel_effort effort,
                          std::move_only_function<void(bool)> after) = 0;
  /// Of statements, for pooled sessions.
  virtual sql::effects_cache& effects() = 0;
  /// The session is over; the host destroys it, not inside this call.
  virtual void session_over(session& which) = 0;
};

class session final : public runtime::slab_object<session>,
                      public relay_owner,
                      public console_owner,
                      private pooled_owner,
                      private guard_owner,
                      private runtime::stream_handler {
 public:
  session(session_host& host, session_facts facts);
  ~session() override;

  void start(int socket, const net::socket_address& peer, half_open_places half_open);
  /// SIGTERM: end as soon as it hurts nobody.
  void drain();
  /// Its server is no longer what it was.
  void leave_server(const pool::eviction& why);
  /// PAUSE or SWITCHOVER of its server begins or is over.
  void look_at_hold(const pool::member& of);
  bool is_console() const { return console_ != nullptr; }
  bool told_to_drain() const { return facts_.told_to_drain; }
  /// Nothing under way and no transaction: a drain would end it at once.
  bool rests() const { return asleep_ != nullptr || (relay_ != nullptr && relay_->idle()); }
  /// A reload: where it waits for a server, or is held at rest, and its route leads elsewhere now, it
  /// follows.
  void configuration_changed(const std::shared_ptr<const deployment>& newer);
  /// Its access is over, or taken away: it ends now, whatever it does.
  void end_access(relay_event why);
  /// KILL or KILL_CLIENT; a console goes on.
  void kill();
  /// The grace time is over, or SIGINT.
  void stop();

  const session_facts& facts() const { return facts_; }
  session_view view() const;
  /// Links of the host's list.
  session* previous = nullptr;
  session* next = nullptr;

 private:
  static void login_done(void* self);
  static void time_due(void* self);
  static void be_over(void* self);

  void finish_login();
  void login_late();
  void limit_due();
  void leave_pooled_server(const pool::eviction& why);
  telemetry::route_metrics& metrics();
  /// Null: not audited.
  audit_gate* gate() const { return host_.observe().gate_of(facts_.audited); }
  /// Only what its client has not taken yet is left of it.
  bool leaving() const { return farewell_ != nullptr || over_; }
  void ended(session_end end);
  void begin_relay(established made);
  void begin_console();
  void end_login(login_end why);
  void leave(std::unique_ptr<runtime::byte_stream> client, bool client_finished,
             std::vector<std::byte> last_word, farewell::ending how);
  struct sleep final : runtime::slab_object<sleep> {
    std::unique_ptr<runtime::byte_stream> client;
    pooled_rest server;
    exchange_observer::memory seen;
    std::unique_ptr<guard_memory> guard;  ///< null: it is held to nothing
  };
  std::unique_ptr<runtime::byte_stream> guarded(std::unique_ptr<runtime::byte_stream> server,
                                                guard_memory memory);
  void watch_grant();
  void look_at_grant();
  void watch_rbac();
  void look_at_rbac();
  bool waits_for_approval() const;
  bool waits_in_vain(const std::shared_ptr<const deployment>& newer) const;
  void end_wait();
  bool loses_access(const std::shared_ptr<const deployment>& newer) const;
  bool may_sleep() const;
  void fall_asleep();
  /// What came of the client goes to its new relay.
  void wake(relay::early came);
  void on_received(runtime::buffer data) override;
  void on_end(runtime::stream_end end) override;
  void watch_limits();
  std::optional<runtime::time_point> next_limit(relay_event& which) const;
  std::optional<runtime::time_point> next_warning() const;
  void warn_of_end();

  void cancel_statement() override;
  std::uint64_t session_number() const override { return facts_.id; }
  runtime::loop& where() const override { return host_.where(); }
  void take_cancel(cancel_taker::answer done) override;
  void cancel_over() override;
  void lease_waited() override;
  void lease_nears(unsigned others) override;
  void pool_failed(telemetry::cause what, error why) override;
  void pin_changed(const char* before, const char* now) override;
  void abandoned(std::shared_ptr<cancel_target> target) override;
  sql::effects_cache& effects() override { return host_.effects(); }
  void statement_refused(statement_refusal why) override;
  void given_enough(error why) override;
  void relay_ended(telemetry::close_cause cause, std::vector<std::byte> last_word,
                   bool reset_client) override;
  void console_did(const std::vector<std::string>& words, const error* why) override;
  void console_ended(telemetry::close_cause cause, std::string detail,
                     std::vector<std::byte> last_word) override;

  session_host& host_;
  session_facts facts_;
  session_places places_;
  cancel_registry::ticket cancel_;
  std::unique_ptr<login> login_;
  std::unique_ptr<relay> relay_;
  std::unique_ptr<sleep> asleep_;
  pooled_server* pooled_ = nullptr;   ///< the relay's server leg, where that is a pool's
  statement_guard* guard_ = nullptr;  ///< around that leg; null: it is held to nothing
  std::unique_ptr<console_session> console_;
  std::unique_ptr<farewell> farewell_;
  runtime::timer timer_;  ///< the login's deadline, then the route's limits, then its end
  bool over_ = false;
};

// What an idle session is, beside two streams and its cancel target: 2 KiB of process memory, all in all. One
// that sleeps is itself, what it remembers, one stream and its place in the cancel registry: 0.7 KiB.
static_assert(sizeof(session) <= pooled_owner::bytes);
static_assert(sizeof(relay) <= 640);

/// Writes `session.end`.
void log_session_end(telemetry::logger& log, const session_facts& facts, const session_end& end,
                     runtime::time_point now);

}  // namespace trunkline::session
