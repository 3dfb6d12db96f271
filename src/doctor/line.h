// One connection to whoever stands first on the path, step by step, with the clock of each step. What is said
// over it is session.h's. Owner: the coroutine that uses it, on the loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "doctor/examination.h"
#include "doctor/failure.h"
#include "net/channel.h"
#include "runtime/deadline.h"
#include "runtime/task.h"
#include "tls/tls_stream.h"

namespace trunkline::doctor {

/// A whole message of the server.
struct message {
  char type = 0;
  std::vector<std::byte> body;
};

class line {
 public:
  explicit line(examination& of);

  /// TCP to the examination's target, or to another place.
  static runtime::task<outcome<>> connect(line* self);
  static runtime::task<outcome<>> connect_to(line* self, net::socket_address where);
  /// SSLRequest; the byte that answers it.
  static runtime::task<outcome<char>> ask_for_tls(line* self);
  /// The handshake. `name` is sent as SNI, and checked where the context does so.
  static runtime::task<outcome<>> start_tls(line* self, std::shared_ptr<const tls::client_context> with,
                                            std::string name, tls::negotiation how);
  /// Connects and secures as the DSN says.
  static runtime::task<outcome<>> open(line* self);

  /// At least so many unread bytes. An error: it ended before, or they did not come in time.
  static runtime::task<outcome<>> await_bytes(line* self, std::size_t count, std::string what);
  static runtime::task<outcome<message>> next(line* self);
  /// Until the peer has ended it; what still arrives is dropped. An error: it did not.
  static runtime::task<outcome<runtime::stream_end>> await_end(line* self);

  void write(byte_span bytes) { channel_->write(bytes); }
  net::channel& channel() { return *channel_; }
  bool is_open() const { return channel_ && channel_->connected() && !channel_->ended(); }
  int socket() const;
  const tls::tls_stream* tls() const { return tls_; }
  /// Ends it with a FIN, or with a RST.
  void close();
  void reset();

  /// The next connection's ICMP errors are kept for icmp.h.
  void keep_icmp() { keeps_icmp_ = true; }

  /// How long each later step may take.
  void set_patience(runtime::duration patience) { patience_ = patience; }
  runtime::duration patience() const { return patience_; }
  examination& of() const { return *of_; }
  runtime::signal& changed() { return changed_; }
  /// How long `open` waited for TCP.
  microseconds connect_took() const { return connect_took_; }

  /// Why nothing more comes, or that nothing came in time.
  failure silence(const std::string& waiting_for) const;

 private:
  static runtime::task<outcome<>> await_connected(line* self, std::string what);

  examination* of_;
  runtime::signal changed_;
  std::unique_ptr<net::channel> channel_;
  const tls::tls_stream* tls_ = nullptr;
  runtime::duration patience_;
  bool keeps_icmp_ = false;
  microseconds connect_took_{0};
};

/// Waits.
runtime::task<void> pause(examination* of, runtime::duration length);

/// The time between two moments of the clock.
inline microseconds since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - began);
}

}  // namespace trunkline::doctor
