// Asks other replicas whether a cancel request is for a session of theirs; the one that knows it serves it
// (docs/cancel.md). Owner: a login; one loop thread.
#pragma once

#include <memory>
#include <vector>

#include "session/login_context.h"
#include "session/peer_message.h"

namespace trunkline::session {

/// One question to one of them. Destroying it breaks it off.
class peer_ask {
 public:
  enum class state : std::uint8_t {
    waiting,
    unknown,      ///< it has no such session
    unreachable,  ///< no connection, no answer, or not one of a replica with the secret
    known,        ///< it serves the request now
    served,       ///< it has closed, as the server did
  };
  struct question {
    pool::server_place whom;
    std::uint32_t pid = 0;
    std::vector<std::byte> key;
    std::vector<replica_keys> keys;  ///< between replicas; none: there is no secret
  };

  /// `changed` is raised when the state changes.
  peer_ask(login_context& of, question asked, runtime::signal& changed);
  void start();
  state now() const { return state_; }

 private:
  static runtime::task<> converse(peer_ask* self);
  runtime::task<result<>> reach();
  void enter(state next);
  void learn(const peer_answer& answer);
  /// In the log, once until it answers again.
  void blame(const std::string& why);

  login_context& of_;
  const question asked_;
  runtime::signal& told_;
  state state_ = state::waiting;
  runtime::signal changed_;
  net::channel peer_;
  runtime::task<> task_;
};

/// Asks all of them at once, and waits for the one that knows; none: `unknown`, or `unreachable` where one
/// did not say.
runtime::task<peer_ask::state> ask_peers(login_context* context, std::vector<pool::server_place> whom,
                                         std::uint32_t pid, std::vector<std::byte> key);

}  // namespace trunkline::session
