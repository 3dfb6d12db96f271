// A session's beginning, from the first byte to the first ReadyForQuery, as a story of coroutine steps: PROXY
// header, negotiation, TLS, route, server, authentication. Everything that only a login needs lives here and
// is freed when the relay takes over. Owner: the session; one loop thread. Destroying it cancels it.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

class login {
 public:
  login(runtime::loop& where, services& shared, session_facts& facts, half_open_places half_open);

  /// Begins; `on_done` is called on the loop, never inside `start`.
  void start(std::unique_ptr<runtime::byte_stream> client, net::socket_address peer, void (*on_done)(void*),
             void* context);
  /// Precondition: `on_done` was called.
  step<established> take_result();
  /// Its route leads to other servers in this configuration: where it still waits for one, it goes there.
  void configuration_changed(std::shared_ptr<const deployment> newer);
  /// Stops where it stands; the channels stay.
  void cancel() { task_ = {}; }

  login_context& context() { return context_; }

 private:
  static runtime::task<step<established>> run(login_context* context);

  login_context context_;
  runtime::deferred done_;
  runtime::task<step<established>> task_;
};

}  // namespace trunkline::session
