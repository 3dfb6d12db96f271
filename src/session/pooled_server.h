// The server leg of a pooled session (wire.md 6): to the relay it is a server like any other, and behind it
// are the connections of a pool, one for each session or one for each transaction. It borrows a connection
// when the client begins something, gives it the session's settings, translates the names of prepared
// statements, and gives it back when the server says that no transaction is open. What a client leaves behind
// that cannot be carried keeps it on its connection. Owner: the relay; one loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/shared_text.h"
#include "pool/link_pool.h"
#include "protocol/error_scan.h"
#include "protocol/exchange_queue.h"
#include "runtime/byte_stream.h"
#include "runtime/object_slab.h"
#include "session/answer_edits.h"
#include "session/cancel_registry.h"
#include "session/cancel_taker.h"
#include "session/chunk_editor.h"
#include "session/client_statements.h"
#include "session/listening.h"
#include "session/session_traces.h"
#include "session/side_errand.h"
#include "sql/effects_cache.h"
#include "telemetry/close_cause.h"
#include "telemetry/histogram.h"

namespace trunkline::session {

/// Whoever owns the session. Called on the loop.
class pooled_owner : public cancel_taker {
 public:
  /// The wait for a server connection is over.
  virtual void lease_waited() = 0;
  /// It is, after one other client's or none's.
  virtual void lease_nears(unsigned others) = 0;
  /// There is none, or it cannot be made the session's: the session ends.
  virtual void pool_failed(telemetry::cause what, error why) = 0;
  /// Why it keeps its connection between two transactions has changed; null: it does not.
  virtual void pin_changed(const char* before, const char* now) = 0;
  /// It ends while a statement runs.
  virtual void abandoned(std::shared_ptr<cancel_target> target) = 0;
  /// Of its worker.
  virtual sql::effects_cache& effects() = 0;
  static constexpr std::size_t bytes = 432;  ///< that an owner is, at most

 protected:
  ~pooled_owner() = default;
};

/// What its worker, its route and its number make it; the session knows all of it.
struct pooled_terms {
  unsigned worker = 0;
  pool::statement_book* statements = nullptr;
  config::pooling_mode mode = config::pooling_mode::transaction;
  config::unsafe_policy on_unsafe = config::unsafe_policy::pin;
  std::uint64_t session = 0;
};

/// What its login has made of it.
struct pooled_start {
  std::shared_ptr<pool::link_pool> pool;
  pool::setting_map settings;  ///< as the client asked for them at start-up
  sql::lexical_rules rules =
      {};  ///< as the client was told that its texts are read; later as it has changed them
};

/// What there is of a server leg while its client does nothing for long: all that a new one needs to go on.
struct pooled_rest {
  std::shared_ptr<pool::link_pool> pool;
  pool::link_shelf::client_place place;
  shared_text settings;  ///< of its start, packed: most clients of a pool begin alike
  struct own_state {
    pool::setting_map settings;
    sql::lexical_rules rules;
    std::unique_ptr<client_statements> statements;  ///< null: it has prepared nothing by a name
    std::string unnamed;
    std::uint64_t unnamed_version;
  };
  /// Null: its settings are those of its start, its texts are read as they mostly are, it has prepared
  /// nothing by a name, and it has no unnamed statement.
  std::unique_ptr<own_state> own = nullptr;
};

class pooled_server final : public runtime::byte_stream,
                            public runtime::slab_object<pooled_server>,
                            private runtime::stream_handler,
                            private pool::claim,
                            private pool::channel_listener {
 public:
  pooled_server(const pooled_terms& terms, pooled_start start);
  /// Goes on for the one that `rest` was called of.
  pooled_server(const pooled_terms& terms, pooled_rest from);
  ~pooled_server() override;

  /// Before the first byte. `assignments`: each connection that it takes counts there.
  void set_owner(pooled_owner* owner, telemetry::counter& assignments) {
    owner_ = owner;
    assignments_ = &assignments;
  }

  // ---- as a stream ----

  void resume_receiving() override;
  void pause_receiving() override;
  runtime::sending send(runtime::buffer data) override;
  std::size_t unsent() override;
  void finish_sending() override;
  void close() override;
  void reset() override { close(); }
  int native_handle() const override;

  // ---- what a session does with its server ----

  /// The connection that it has now; null: none.
  const pool::link* link() const { return link_.get(); }
  /// Why it keeps its connection between two transactions; null: it does not.
  const char* pinned() const { return unnamed_pins_ ? "unnamed_statement" : traces_.pinned(); }
  /// The same, as it was when its last transaction was over, and since when.
  const char* told_pin() const { return told_pin_; }
  runtime::time_point pinned_since() const { return pinned_since_; }
  bool waits() const { return claim::waits(); }
  /// Where it waits.
  runtime::time_point waits_since() const { return claim::since(); }
  const pool::link_pool& pool() const { return *start_.pool; }
  config::pooling_mode mode() const { return terms_.mode; }
  /// Its connection's server is no longer what it was: it is given up as soon as it can be. False: the
  /// session cannot go on without it.
  bool leave();
  /// Nothing is under way, it has no connection, and keeps nothing that `rest` does not hold.
  bool may_rest() const;
  /// Precondition: `may_rest`. It is closed then.
  pooled_rest rest();
  /// Its server's `held` has changed: while it is set nothing new begins there.
  void look_at_hold();
  /// A cancel for what runs now, or waits to; null: nothing runs at a server. Until `cancelled` nobody else
  /// gets the connection.
  std::shared_ptr<cancel_target> begin_cancel();
  void cancelled();

 private:
  pooled_server(const pooled_terms& terms, pooled_start start, pool::link_shelf::client_place place);

  static constexpr std::size_t header_bytes = 5;
  enum class doing : std::uint8_t { flow, wait, errand, rest, ask_hub };
  /// What the client has sent without a server's knowing is dropped: its first message, which is answered
  /// with an error, or all that follows up to its Sync.
  enum class cancelling : std::uint8_t { nothing, statement, batch };
  struct rename_at {
    std::size_t before_name;
    std::size_t name_size;
  };

  // From the client.
  bool looks_into(char type) const;
  void process(runtime::buffer& data);
  void process_pending();
  bool step(chunk_editor& out);
  bool step_gathered(chunk_editor& out);
  bool gather(chunk_editor& out, std::size_t wanted);
  bool begin_passing(chunk_editor& out, byte_span known, bool in_chunk);
  // False: it cannot go on now, and is to be tried again. `in_chunk`: its size, where the chunk holds it.
  bool take_whole(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_query(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_unclean_query(chunk_editor& out, byte_span message, std::size_t in_chunk, const sql::effects& of,
                          std::string_view text);
  void pass_query(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_parse(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_bind(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_target(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_execute(chunk_editor& out, byte_span message, std::size_t in_chunk);
  bool take_large(chunk_editor& out);
  void take_named_parse(chunk_editor& out, std::string_view name, byte_span content);
  void pass(chunk_editor& out, byte_span message, std::size_t in_chunk);
  void pass_renamed(chunk_editor& out, byte_span message, std::size_t in_chunk, rename_at where,
                    std::string_view name);
  std::uint64_t send_parse(chunk_editor& out, std::string_view name, byte_span content);
  void send_close(chunk_editor& out, std::string_view name);
  void prepare(chunk_editor& out, const pool::statement& which, bool for_client);
  const pool::statement* use_statement(chunk_editor& out, std::string_view name);
  const sql::effects* effects_bound(std::string_view name);
  const pool::statement* instead_of(chunk_editor& out, const std::optional<error>& refused);
  void begin_unnamed(std::string_view content);
  void end_unnamed();
  void restore_unnamed(chunk_editor& out);
  void take_back_unnamed(std::uint64_t failed, std::uint64_t sync);
  void note(const sql::effects& of, std::string_view text);
  void note_at_server(const sql::effects& of, std::string_view text);
  void note_uses(const pool::statement& which);
  void note_unnamed();
  bool must_forget_sequences(const sql::effects& of);
  void note_kind(const sql::effects& of);
  void note_sequences();
  bool knows_others_sequences() const;
  bool deallocates_own(const sql::effects& of) const;
  std::string execute_own(chunk_editor& out, const sql::effects& of, std::string_view text);
  bool refuses(const sql::effects& of) const;
  bool take_for_hub(chunk_editor& out, std::size_t in_chunk, const sql::effects& of);
  void refuse_parse(chunk_editor& out, std::size_t in_chunk, const char* reason);
  bool ready_for_work();
  void adopt(std::unique_ptr<pool::link> made);
  void forward(runtime::buffer data);

  // From the server.
  void on_received(runtime::buffer data) override;
  void on_held() override;
  void on_drained() override;
  void on_end(runtime::stream_end end) override;
  void answer_step(chunk_editor& out);
  void begin_answer(char type, std::uint32_t length);
  void answer_over(chunk_editor& out);
  void take_error();
  void take_parameter();
  void take_ready(chunk_editor& out);
  void take_tag();
  bool is_told_by_hub(byte_span notification) const;
  void take_notification(chunk_editor& out);
  void withhold();
  void restore_in_transaction();
  std::vector<std::byte> take_withheld();
  void tell_ready();
  void put_in_due(chunk_editor& out);
  void deliver_due();
  void look_at_rest();
  bool nothing_will_come() const;
  void transaction_over();
  void note_pin();

  // Cancel.
  static std::shared_ptr<cancel_target> cancel_target_of(const pool::link& which);
  bool statement_waits() const;
  void cancel_waiting();
  bool take_cancelled(chunk_editor& out);
  void answer_cancelled(char type);

  // LISTEN.
  bool is_for_hub(const sql::effects& of) const;
  void begin_listening();
  void cancel_hub_wait();
  void bound_for_hub(std::string_view portal, const sql::effects& of);
  bool ask_hub(const sql::effects& of, std::optional<error>& refused);
  void unlisten(const std::string& channel);
  void answer_for_hub(const sql::effects& of, const std::optional<error>& refused);
  void stop_listening();
  void deliver_mail();
  void subscribed(std::uint64_t ticket, const std::optional<error>& refused) override;
  void heard(byte_span message) override;
  void may_have_missed() override;

  // The connection.
  void granted(std::unique_ptr<pool::link> made) override;
  void refused(const pool::connect_failure& why) override;
  void nears(unsigned others) override;
  void release();
  void dispose_of_link();
  bool link_at_rest() const;
  bool link_at_rest_or_none() const { return link_ == nullptr || link_at_rest(); }
  void begin_sync();
  void begin_errand(side_errand::purpose what, std::string_view query);
  /// What the server says of each statement, since nobody looks at the texts.
  bool watches_always() const {
    return terms_.mode == config::pooling_mode::session && !start_.settings.empty();
  }
  bool carries() const { return terms_.mode == config::pooling_mode::transaction && pinned() == nullptr; }
  void begin_inspection();
  void take_inspection(const side_errand& done);
  session_traces::known_settings known_settings() {
    const std::string& role = start_.pool->who().role;
    return {settings_, link_->settings, start_.settings,
            role.empty() ? std::string_view("none") : std::string_view(role)};
  }
  void errand_over();
  void fail(telemetry::cause what, error why);
  runtime::loop& loop() const { return shelf_.where(); }

  const pooled_terms terms_;
  pooled_start start_;
  pool::link_shelf& shelf_;
  pool::link_shelf::client_place place_;
  pooled_owner* owner_ = nullptr;
  telemetry::counter* assignments_ = nullptr;
  std::unique_ptr<pool::link> link_;
  doing doing_ = doing::flow;
  cancelling cancelling_ = cancelling::nothing;
  bool receiving_ = false;
  bool closed_ = false;
  bool held_ = false;           ///< the connection takes nothing at the moment
  bool stalled_ = false;        ///< a message has been gathered, and cannot go on
  bool finishing_ = false;      ///< the client has said Terminate
  bool settings_seen_ = false;  ///< the connection has this session's settings
  bool watch_tags_ = false;
  bool unnamed_noted_ = false;  ///< its effects are, in this transaction
  // Where a setting goes back to its default, the server's is not the session's: what is said of settings is
  // told with the ReadyForQuery, and that when they are what they are to be.
  bool withholding_ = false;
  bool restores_now_ = false;  ///< with the next ReadyForQuery, if within a transaction
  bool owes_ready_ = false;
  pool::parameter_list withheld_;
  char status_ = 'I';
  unsigned cancels_ = 0;                  ///< under way for the connection
  std::vector<runtime::buffer> pending_;  ///< from the client, first first: one or two
  runtime::deferred fin_;
  runtime::deferred due_;      ///< answers of the gateway's own wait to be told
  runtime::deferred failing_;  ///< so does the session's end
  std::unique_ptr<std::pair<telemetry::cause, error>> failure_;

  // The client's message in hand.
  std::vector<std::byte> gathered_;  ///< its beginning, where it came in pieces
  std::uint32_t passing_ = 0;        ///< bytes of it that still go on, unlooked at,
  bool dropping_ = false;            ///< or are dropped

  // The server's.
  std::vector<std::byte> answer_;  ///< header, or body, in pieces
  std::uint32_t answer_left_ = 0;
  char answer_type_ = 0;
  bool answer_hidden_ = false;
  bool answer_kept_ = false;  ///< its body is gathered

  protocol::exchange_queue queue_;
  protocol::error_scan error_;
  answer_edits edits_;
  pool::setting_map settings_;
  session_traces traces_;
  std::unique_ptr<client_statements> statements_;
  std::string unnamed_;  ///< the content of the client's unnamed statement; empty: none, or too large to keep
  bool unnamed_pins_ = false;          ///< there is one that is too large
  std::uint64_t unnamed_version_ = 0;  ///< 0: there is none
  std::uint64_t unnamed_request_ = 0;  ///< the client's last Parse of one
  struct preparing {
    std::uint64_t request;
    std::uint64_t id;
  };
  std::vector<preparing> preparing_;
  const char* told_pin_ = nullptr;  ///< as the owner knows it
  runtime::time_point pinned_since_{};
  std::unique_ptr<side_errand> errand_;
  std::unique_ptr<listening> listening_;                   ///< null: it never did
  std::shared_ptr<const pool::statement> listening_used_;  ///< what ran in the place of a LISTEN
};

}  // namespace trunkline::session
