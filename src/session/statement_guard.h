// The server leg of a session that an access policy holds to something (docs/access.md): a stream around the
// server's that reads each statement on its way, sends one that fails in the place of one that is refused,
// puts the policy's words into the server's answer to it, and counts rows. Sessions that are held to nothing
// have none. Owner: the relay; one loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "access/policy.h"
#include "protocol/error_scan.h"
#include "protocol/exchange_queue.h"
#include "runtime/byte_stream.h"
#include "runtime/loop.h"
#include "session/chunk_editor.h"
#include "session/statement_rules.h"
#include "sql/effects_cache.h"

namespace trunkline::session {

/// Whoever owns the session. Called on the loop.
class guard_owner {
 public:
  virtual ~guard_owner() = default;
  /// Of its worker.
  virtual sql::effects_cache& effects() = 0;
  virtual void statement_refused(statement_refusal why) = 0;
  /// It has been given as much as its policy allows: the session ends. Never inside a call of the guard.
  virtual void given_enough(error why) = 0;
};

/// What a guard knows that the next one of the same session must know.
struct guard_memory {
  const access::policy* by = nullptr;
  sql::lexical_rules rules = {};  ///< as they were at the start of the session
  bool replication = false;
  bool warned = false;  ///< that its end is near
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

class statement_guard final : public runtime::byte_stream, private runtime::stream_handler {
 public:
  /// `owner` and what `memory` refers to outlive it.
  statement_guard(runtime::loop& where, guard_owner& owner, std::unique_ptr<runtime::byte_stream> server,
                  guard_memory memory);

  const guard_memory& memory() const { return memory_; }
  /// Nothing of a message is held here.
  bool at_rest() const {
    return gathered_.empty() && passing_ == 0 && answer_.empty() && answer_left_ == 0 && refused_.empty();
  }
  /// Tells the client something, between two messages of the server.
  void warn(std::string_view sentence);

  // ---- as a stream ----

  void resume_receiving() override { server_->resume_receiving(); }
  void pause_receiving() override { server_->pause_receiving(); }
  runtime::sending send(runtime::buffer data) override;
  std::size_t unsent() override { return server_->unsent(); }
  void finish_sending() override { server_->finish_sending(); }
  void close() override;
  void reset() override;
  int native_handle() const override { return server_->native_handle(); }
  const char* failure_text() const override { return server_->failure_text(); }

 private:
  struct refusal {
    std::uint64_t request;
    statement_refusal why;
  };

  // From the client.
  bool looks_into(char type) const;
  bool step(chunk_editor& out);
  bool step_gathered(chunk_editor& out);
  bool gather(chunk_editor& out, std::size_t wanted);
  void begin_passing(chunk_editor& out, byte_span known, bool in_chunk);
  void take(chunk_editor& out, byte_span message, std::size_t in_chunk);
  void take_large(chunk_editor& out);
  std::optional<statement_refusal> judge_message(byte_span message);
  std::optional<statement_refusal> judge_text(std::string_view text);
  void refuse(chunk_editor& out, byte_span message, statement_refusal why);

  // From the server.
  void on_received(runtime::buffer data) override;
  void on_held() override { handler_->on_held(); }
  void on_drained() override { handler_->on_drained(); }
  void on_end(runtime::stream_end end) override { handler_->on_end(end); }
  void answer_step(chunk_editor& out);
  bool begin_answer(char type, std::uint32_t length);
  void answer_over(chunk_editor& out);
  void take_error(chunk_editor& out);
  bool counts(char type, std::uint32_t length);

  static constexpr std::size_t header_bytes = 5;

  runtime::loop& loop_;
  guard_owner& owner_;
  std::unique_ptr<runtime::byte_stream> server_;
  guard_memory memory_;
  const access::guard_rules& rules_;

  std::vector<std::byte> gathered_;  // the beginning of a message that came in pieces
  std::uint32_t passing_ = 0;        // bytes of it that still go on, unlooked at,
  bool dropping_ = false;            // or are dropped

  std::vector<std::byte> answer_;  // header, or the body of an error that is not to be told
  std::uint32_t answer_left_ = 0;
  char answer_type_ = 0;
  bool answer_hidden_ = false;
  protocol::error_scan error_;
  std::vector<std::byte> notice_;  // waits for the end of a message

  protocol::exchange_queue queue_;
  std::vector<refusal> refused_;  // requests that the server has not answered yet
  runtime::deferred enough_;
  bool full_ = false;  // nothing more goes to the client
};

}  // namespace trunkline::session
