// Sends CancelRequests to servers (wire.md 5), over TLS where the upstream wants it. Owner: one loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "session/login_context.h"

namespace trunkline::session {

/// Done when the server has closed, which it does after it has sent the signal. False: it could not be
/// reached.
runtime::task<bool> send_cancel(runtime::loop* where, std::shared_ptr<const cancel_target> target,
                                net::channel* into);

/// How often a server is asked.
enum class cancel_effort : std::uint8_t {
  once,
  /// Again after `limits::abandoned_server_grace`: for a client that is gone. A server process that has not
  /// begun with its statement takes no notice of the first one, and has nobody left whose end would end it.
  twice,
};

/// Passthrough: tries every upstream that the listener's routes lead to, one after the other.
runtime::task<bool> offer_cancel(login_context* context, std::uint32_t pid, std::vector<std::byte> key);

/// Asks the process that this one took over from. False: it is gone, or has no such session either.
runtime::task<bool> ask_elder(login_context* context, std::uint32_t pid, std::vector<std::byte> key);

/// A cancel of the gateway's own, which outlives the session it is for: it holds all it needs.
class cancel_errand {
 public:
  /// `on_done` is called on the loop; the errand may be disposed of then.
  /// `after` is called before that, with whether the server has heard; may be empty.
  cancel_errand(runtime::loop& where, std::shared_ptr<const cancel_target> target, cancel_effort effort,
                std::move_only_function<void(bool)> after);
  void start(void (*on_done)(void* context, cancel_errand* which), void* context);

 private:
  static void finished(void* self);
  static void tell(void* self);

  runtime::signal changed_;
  net::channel server_;
  runtime::deferred done_;
  runtime::task<bool> task_;
  std::move_only_function<void(bool)> after_;
  void (*on_done_)(void*, cancel_errand*) = nullptr;
  void* context_ = nullptr;
};

}  // namespace trunkline::session
