// Says a last word to a client and closes without losing it: the bytes go out, then a FIN, then whatever the
// client still sends is read and dropped until it closes too (closing with unread bytes would send a reset,
// and a reset may overtake the word). All within limits::farewell_timeout. Owner: one loop thread.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "runtime/loop.h"

namespace trunkline::session {

class farewell final : public runtime::stream_handler {
 public:
  /// How the connection ends once the last word is out.
  enum class ending : std::uint8_t { orderly, reset };

  /// `peer_finished`: the client's FIN has come already; there is nothing to wait for but our own bytes.
  farewell(runtime::loop& where, std::unique_ptr<runtime::byte_stream> stream, bool peer_finished);
  ~farewell() override;

  /// `on_done` is called on the loop, never inside `start`; the farewell may be destroyed then.
  void start(byte_span last_word, ending how, void (*on_done)(void*), void* context);

 private:
  void on_received(runtime::buffer) override {}
  void on_drained() override;
  void on_end(runtime::stream_end) override { done_.schedule(); }
  void leave();

  runtime::loop* loop_;
  std::unique_ptr<runtime::byte_stream> stream_;
  runtime::deferred done_;
  runtime::timer timer_;
  ending how_ = ending::orderly;
  bool peer_finished_;
};

}  // namespace trunkline::session
