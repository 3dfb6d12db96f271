// TLS over a byte stream, as a byte stream: whoever reads and writes need not know which of the two it holds.
// Ciphertext is decrypted and encrypted from one lent buffer into another; between calls only what TLS itself
// must keep is kept, so that an idle session holds no buffer. A FIN without close_notify counts as a FIN:
// Postgres says its own goodbye (Terminate), and libpq that was killed sends no close_notify either. Owner:
// one loop thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/loop.h"
#include "tls/engine.h"

namespace trunkline::tls {

class tls_stream final : public runtime::byte_stream, private runtime::stream_handler {
 public:
  /// `lower` is connected. The handshake begins with `start`.
  tls_stream(runtime::loop& where, std::unique_ptr<runtime::byte_stream> lower, engine session);
  ~tls_stream() override;

  /// `already_received`: ciphertext that was read before TLS was known to begin (direct TLS). `on_connected`
  /// says that the handshake is complete; `on_end` that it failed.
  void start(std::vector<runtime::buffer> already_received);
  const engine& session() const { return engine_; }

  void resume_receiving() override;
  void pause_receiving() override;
  runtime::sending send(runtime::buffer data) override;
  std::size_t unsent() override { return lower_->unsent(); }
  void finish_sending() override;
  std::unique_ptr<runtime::parked_stream> park() override;
  void close() override;
  void reset() override;
  int native_handle() const override { return lower_->native_handle(); }
  const char* failure_text() const override;

 private:
  void on_received(runtime::buffer data) override;
  void on_held() override;
  void on_drained() override;
  void on_end(runtime::stream_end end) override;

  static void process_later(void* self) { static_cast<tls_stream*>(self)->process(); }
  void schedule();
  void process();
  bool handshake();
  void drop_taken();
  bool decrypt();
  void send_pending();
  void fail();
  void tell_end();
  runtime::buffer lend(std::size_t wanted);

  runtime::loop* loop_;
  std::unique_ptr<runtime::byte_stream> lower_;
  engine engine_;
  runtime::buffer cipher_;               // received and not yet taken by the engine,
  std::vector<runtime::buffer> behind_;  // and what was on its way when the reader above paused
  runtime::deferred later_;
  runtime::stream_end lower_end_;
  std::string failure_;
  bool receiving_ = false;
  bool processing_ = false;
  bool lower_ended_ = false;
  bool end_told_ = false;
  bool closed_ = false;
};

}  // namespace trunkline::tls
