// Cancel requests between the two processes of a hand-over (docs/decisions/0014-hand-over.md). Between them
// is a pair of SOCK_SEQPACKET sockets. For a key that it does not know, the younger process passes the elder
// one end of a fresh stream and the client's address; on the other end it does what the client did: it sends
// the CancelRequest and waits for the end. The elder says one byte first where the key is one of its own.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "runtime/loop.h"
#include "runtime/unique_fd.h"

namespace trunkline::session {

/// What the elder says before it closes; otherwise it knows no such session.
inline constexpr std::string_view cancel_known = "!";

/// The younger's side. Any thread.
class elder_link {
 public:
  explicit elder_link(runtime::unique_fd link) : link_(std::move(link)) {}
  /// A connected stream, non-blocking; empty: the elder is gone, or takes no more.
  runtime::unique_fd open_stream(std::string_view client) const;
  /// A message without a stream: how the younger's start went, before the first stream.
  void say(std::string_view words) const;
  /// The elder has not ended.
  bool lives() const;

 private:
  runtime::unique_fd link_;
};

/// The elder's side. Owner: one loop thread.
class younger_door final : public runtime::accept_handler {
 public:
  /// `take` owns the socket.
  using taker = void (*)(void* context, int socket, std::string client);

  younger_door(runtime::loop& where, runtime::unique_fd link, taker take, void* context);
  void on_acceptable() override;

 private:
  runtime::unique_fd link_;
  taker take_;
  void* context_;
  std::unique_ptr<runtime::accept_watch> watch_;
};

}  // namespace trunkline::session
