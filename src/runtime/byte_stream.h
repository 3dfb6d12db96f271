// The seam between the road and the operating system: a connected, ordered stream of bytes whose operations
// *complete*. Buffers that are on their way belong to the runtime, so that a readiness backend (epoll), a
// completion backend (io_uring), TLS and a simulated pipe all fit behind it. Owner: one loop thread; every
// call and every callback happens there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "runtime/buffer.h"

namespace trunkline::runtime {

/// Why no more bytes will come from a peer, or can go to it.
struct stream_end {
  enum class kind : std::uint8_t {
    fin,        ///< orderly: the peer sends no more
    reset,      ///< RST, or a write to a peer that is gone
    timed_out,  ///< keepalive, TCP_USER_TIMEOUT or connect timed out
    failed,     ///< another error of the socket: `code` is its errno
    tls,        ///< the TLS layer refused; `byte_stream::failure_text` says why
  };
  kind what = kind::fin;
  int code = 0;
};

/// Receives what happens on a stream. A handler may close the stream inside a callback, but may not destroy
/// it there: hand it to `loop::dispose` instead.
class stream_handler {
 public:
  virtual ~stream_handler() = default;
  /// The connect (or TLS handshake) asked for is complete: bytes may be sent and received.
  virtual void on_connected() {}
  /// Bytes arrived, never empty. Whoever takes the buffer owns it.
  virtual void on_received(buffer data) = 0;
  /// What `send` had taken as `done` is `held` after all: stop producing until `on_drained`.
  virtual void on_held() {}
  /// After `sending::held` or `on_held`: all of it is with the kernel now.
  virtual void on_drained() {}
  /// Called once per direction at most: no more bytes come (fin), or the stream is broken (everything else).
  virtual void on_end(stream_end end) = 0;
};

/// `done`: send more at once if you like; it is with the kernel before the loop waits. `held`: the bytes are
/// kept and go out as soon as they can; stop producing until `on_drained`. `broken`: the stream has failed;
/// `on_end` says why.
enum class sending : std::uint8_t { done, held, broken };

class byte_stream;
class loop;

/// A stream on its way from one loop to another. Owner: one thread at a time; destroying it closes the
/// connection.
class parked_stream {
 public:
  virtual ~parked_stream() = default;
  /// On the thread of that loop: the stream again, paused, without a handler. Once.
  virtual std::unique_ptr<byte_stream> unpark(loop& where) = 0;
};

class byte_stream {
 public:
  byte_stream() = default;
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;
  virtual ~byte_stream() = default;

  void set_handler(stream_handler* handler) { handler_ = handler; }

  /// Nothing is received before the first `resume`; after `pause` a buffer already on its way may still
  /// arrive.
  virtual void resume_receiving() = 0;
  virtual void pause_receiving() = 0;
  /// In order, never merged with a later one, never held back for more.
  virtual sending send(buffer data) = 0;
  /// Bytes taken by `send` that the kernel does not have yet, after another try where one had not been made.
  virtual std::size_t unsent() = 0;
  /// FIN, once everything sent before has gone.
  virtual void finish_sending() = 0;
  /// Takes the connection out of its loop: the stream is closed for whoever holds it. Null: it cannot now
  /// (bytes are on their way, or it is broken), and goes on.
  virtual std::unique_ptr<parked_stream> park() { return nullptr; }
  /// Ends both directions now and discards what is unsent. No callback comes afterwards.
  virtual void close() = 0;
  /// As `close`, but the peer sees a reset.
  virtual void reset() = 0;
  /// The socket, for its options and TCP_INFO; -1 where there is none or it is closed.
  virtual int native_handle() const = 0;
  /// In words, where the end was `tls` or `failed`; empty otherwise.
  virtual const char* failure_text() const { return ""; }

 protected:
  stream_handler* handler_ = nullptr;
};

}  // namespace trunkline::runtime
