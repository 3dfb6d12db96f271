// The exchange queue: what a session's server still owes, message by message (PostgreSQL documentation,
// "Message Flow"; for what the documentation leaves open, the main loop of the backend: tcop/postgres.c,
// commands/copyfromparse.c). It is fed the types of all messages behind the login, each before its answer can
// come, and knows at every moment which requests are outstanding, to which of them an answer belongs, what
// may come next, and when the session is at rest. Pure; allocates only for a deep pipeline. Owner: one
// session on one worker.
//
// How a server reads:
// - Query, FunctionCall and Sync end with ReadyForQuery. Parse, Bind, Describe, Execute and Close have one
// answer
//   each, and open a batch that stays open until one of the three.
// - An error in Parse, Bind, Describe, Execute, Close or Flush makes it skip everything, a Query too, up to
// Sync.
// - In COPY IN it reads on up to CopyDone or CopyFail and drops Sync and Flush on the way, also a Sync that
// was
//   pipelined behind the statement, as libpq does. A COPY that fails before its first read has dropped none.
// - CopyData, CopyDone and CopyFail outside a COPY mean nothing.
// - In CopyBoth (replication) both sides send CopyData and CopyDone as they like.
// - A type it does not know, at any time, ends the session.
#pragma once

#include <cstdint>
#include <memory>

#include "protocol/error_scan.h"
#include "protocol/request_ring.h"

namespace trunkline::protocol {

class exchange_queue {
 public:
  exchange_queue() = default;
  exchange_queue(exchange_queue&&) = default;
  exchange_queue& operator=(exchange_queue&&) = default;

  /// What an answer proved to be. `unexpected`: not what PostgreSQL sends here; the queue goes on as well as
  /// it can, and the next ReadyForQuery mends it.
  enum class [[nodiscard]] verdict : std::uint8_t { expected, unexpected };

  struct error_facts {
    bool fatal = false;  ///< the server ends the session: expected at any time
    copy_progress copy = copy_progress::unknown;
  };

  /// A message of the client; `length` is its length word. Answers the number of the request, from 1 on, also
  /// of one that the server will skip; 0 for what is no request (Flush, COPY data, Terminate).
  std::uint64_t client_message(char type, std::uint32_t length);
  /// A message of the server that is neither ErrorResponse nor ReadyForQuery. DataRow and CopyData may be
  /// left out: they change nothing.
  verdict server_message(char type);
  verdict error_response(error_facts what);
  verdict ready_for_query();
  /// So many ReadyForQuery are owed that no message of ours asks for (the login's).
  void owe(std::uint32_t answers);

  /// Whether a server may send this type now. NoticeResponse, ParameterStatus and NotificationResponse
  /// always; ErrorResponse always where it is fatal, and otherwise where this says so.
  bool expects(char type) const;
  /// Nothing is outstanding and no batch is open: whatever comes next is a new exchange, or ends the session.
  bool at_rest() const { return !has_current_ && !batch_open_; }
  /// An answer is outstanding. False also where an open batch has been answered as far as it goes.
  bool awaits_answer() const { return has_current_ && !waits_for_copy_data(); }
  /// The request that the server is answering; 0 where there is none.
  std::uint64_t current() const { return has_current_ ? number_ : 0; }
  request_kind current_kind() const { return current_; }
  /// The number of the newest request; 0: there was none.
  std::uint64_t newest() const { return asked_; }
  /// The server reads CopyData, and the client has sent nothing behind the statement that ends this, neither
  /// CopyDone or CopyFail nor, against the rules, another request.
  bool waits_for_copy_data() const {
    return has_current_ && stage_ == stage::copy_in && !copy_ended_ && dropped_by_copy_ == behind_.size();
  }
  /// Extended messages were sent, and no Sync behind them: the server may keep its answers.
  bool batch_open() const { return batch_open_; }
  /// An error in the open batch: the server waits for Sync.
  bool skipping() const { return skipping_; }
  std::size_t pipelined() const { return behind_.size(); }
  /// False: a COPY failed, and whether it had dropped Syncs before it did, no message told. Both answers are
  /// followed until one of them proves wrong; until then all the rest is what the likelier one says.
  bool certain() const { return other_ == nullptr; }

 private:
  enum class stage : std::uint8_t {
    fresh,
    rows,       // RowDescription, or a first statement's answer, was sent
    described,  // ParameterDescription was sent
    between,    // a statement of a Query has been answered, or a COPY OUT is complete
    answered,   // FunctionCallResponse was sent
    copy_in,
    copy_out,
    copy_both,
    failed,
  };

  /// The length word of a message without a body.
  static constexpr std::uint32_t empty_message = 4;

  exchange_queue(const exchange_queue& other);

  std::uint64_t hear_client(char type, std::uint32_t length);
  verdict hear_server(char type);
  verdict hear_error(error_facts what);
  verdict hear_ready();
  verdict judge(verdict mine, verdict others);
  std::uint64_t add(request_kind kind);
  std::uint64_t add_point(request_kind kind);
  std::uint64_t add_extended(request_kind kind);
  std::uint64_t add_sync();
  std::uint64_t add_in_copy(request_kind kind);
  std::uint64_t copy_end(request_kind kind);
  void statement_complete();
  void begin_copy_in();
  void end_copy(bool data_were_read);
  void look_for_open_batch();
  void go_to(stage next_stage, bool allowed);
  void next();
  void skip_to_sync();
  bool expects_of_query(char type) const;
  bool expects_of_execute(char type) const;

  std::unique_ptr<exchange_queue> other_;  // how it would be if a COPY that failed had come less far
  request_ring behind_;                    // what follows the current request
  std::uint64_t asked_ = 0;                // requests so far
  std::uint64_t number_ = 0;
  std::uint32_t dropped_by_copy_ = 0;  // the first so many behind the COPY under way, if it reads,
  std::uint32_t unanswered_ = 0;       // and those that COPYs have dropped since the current request began
  request_kind current_ = request_kind::query;
  stage stage_ = stage::fresh;
  bool has_current_ = false;
  bool batch_open_ = false;
  bool skipping_ = false;
  bool copy_ended_ = false;       // CopyDone or CopyFail was sent for the COPY under way,
  bool copy_end_queued_ = false;  // and stands in `behind_`, after what the COPY drops
};

}  // namespace trunkline::protocol
