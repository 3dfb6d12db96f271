// A blocking client of one PostgreSQL server over a unix socket: bytes out, whole messages in. It knows no
// more of the protocol than the login that asks for no password. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "protocol/message_writer.h"

namespace trunkline::conformance {

struct server_message {
  char type = 0;
  protocol::byte_buffer body;
};

class connection {
 public:
  /// Throws std::runtime_error where the server does not let `user` in.
  connection(const std::string& socket_path, const std::string& user, const std::string& database);
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  /// Writes all of it, and reads meanwhile, so that neither side can block the other. What the server no
  /// longer takes is dropped: the end of its messages says that it has gone.
  void write(byte_span bytes);
  /// The next message; nothing where none came in time, or the server has closed (`closed`).
  std::optional<server_message> read(std::chrono::milliseconds wait);
  bool closed() const { return closed_ && messages_.empty(); }

 private:
  /// Waits until something can be done, and reads what there is.
  short wait_for(short events, std::chrono::milliseconds wait);
  void receive();
  void parse();

  int fd_ = -1;
  bool closed_ = false;
  protocol::byte_buffer input_;
  std::deque<server_message> messages_;
};

}  // namespace trunkline::conformance
