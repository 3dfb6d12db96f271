// A session that the gateway serves itself: in place of the relay, after a console login. Reads whole
// messages, lets `console_machine` answer them, and fetches rows in the desk's own threads while it waits.
// Owner: the session; one loop thread. Destroying it drops what it waits for.
#pragma once

#include <memory>
#include <vector>

#include "net/channel.h"
#include "runtime/task.h"
#include "runtime/timer.h"
#include "session/console_machine.h"
#include "session/facts.h"
#include "session/services.h"
#include "telemetry/close_cause.h"

namespace trunkline::session {

/// Told once, never inside a call of the owner's: the console has ended; `last_word` is for the client.
class console_owner {
 public:
  virtual ~console_owner() = default;
  /// A command has been carried out, or refused with `why`. Inside a call of the console's.
  virtual void console_did(const std::vector<std::string>& words, const error* why) = 0;
  virtual void console_ended(telemetry::close_cause cause, std::string detail,
                             std::vector<std::byte> last_word) = 0;
};

class console_session {
 public:
  /// `client` is emptied. Precondition: services.console is not null.
  console_session(runtime::loop& where, services& shared, session_facts& facts, console_owner& owner,
                  net::channel& client);

  void start();
  /// Ends when no answer is under way.
  void drain();
  /// Ends now.
  void stop();

  std::unique_ptr<runtime::byte_stream> take_client() { return client_.release(); }
  const runtime::byte_stream* client() const { return client_.stream(); }
  bool client_finished() const { return client_.ended(); }
  char transaction_status() const { return machine_.status(); }

 private:
  struct ending {
    telemetry::close_cause cause;
    std::string detail = {};
    std::optional<error> tell = {};
  };

  static runtime::task<ending> serve(console_session* self);
  static void served(void* self);
  static void idle_due(void* self);

  /// What ends it before the next message, if anything does.
  std::optional<ending> reason_to_end() const;
  runtime::task<result<console_answer>> fetch(console_request request);
  runtime::task<result<console_answer>> ask_desk(console_request request);
  /// Sends `out_` in pieces, as the client takes them.
  runtime::task<> send();
  void note_traffic();

  runtime::loop& loop_;
  services& shared_;
  session_facts& facts_;
  console_owner& owner_;
  runtime::signal changed_;
  net::channel client_;
  console_machine machine_;
  std::vector<std::byte> out_;
  runtime::timer idle_;
  bool sending_ = false;  ///< a part of `out_` is with the client, the rest is not
  bool draining_ = false;
  bool idle_too_long_ = false;
  bool stopped_ = false;
  runtime::deferred done_;
  runtime::task<ending> task_;
};

}  // namespace trunkline::session
