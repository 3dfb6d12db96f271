#include "tls/tls_stream.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::tls {

using runtime::buffer;
using runtime::buffer_size;
using runtime::sending;
using runtime::stream_end;

tls_stream::tls_stream(runtime::loop& where, std::unique_ptr<runtime::byte_stream> lower, engine session)
    : loop_(&where),
      lower_(std::move(lower)),
      engine_(std::move(session)),
      later_(where, &process_later, this) {
  lower_->set_handler(this);
}

tls_stream::~tls_stream() = default;

buffer tls_stream::lend(std::size_t wanted) {
  const bool fits = wanted <= limits::buffer_bytes_small;
  return loop_->buffers().lend(fits ? buffer_size::small : buffer_size::large);
}

void tls_stream::start(std::vector<buffer> already_received) {
  behind_ = std::move(already_received);
  drop_taken();
  lower_->resume_receiving();
  schedule();
}

/// A handshake's arithmetic takes its turn with that of others.
void tls_stream::schedule() {
  if (engine_.established()) {
    later_.schedule();
  } else {
    later_.schedule_long();
  }
}

void tls_stream::on_received(buffer data) {
  if (cipher_.empty()) {
    cipher_ = std::move(data);
  } else {
    behind_.push_back(std::move(data));
  }
  if (engine_.established()) return process();
  lower_->pause_receiving();
  schedule();
}

void tls_stream::process() {
  if (processing_) return;
  processing_ = true;
  while (!closed_ && !end_told_ && (engine_.established() ? decrypt() : handshake())) {
  }
  processing_ = false;
  const bool wants_more = receiving_ || !engine_.established();
  if (!closed_ && !end_told_ && wants_more && cipher_.empty()) lower_->resume_receiving();
  if (!closed_ && lower_ended_ && !end_told_ && (cipher_.empty() || !engine_.established())) tell_end();
}

void tls_stream::drop_taken() {
  if (!cipher_.empty()) return;
  cipher_ = buffer();
  if (behind_.empty()) return;
  cipher_ = std::move(behind_.front());
  behind_.erase(behind_.begin());
}

/// True: go on at once.
bool tls_stream::handshake() {
  buffer out = lend(limits::buffer_bytes_small);
  const step done = engine_.handshake(cipher_.bytes(), out.room());
  cipher_.consume(done.consumed);
  out.commit(done.produced);
  drop_taken();
  if (!out.empty()) lower_->send(std::move(out));
  switch (done.what) {
    case status::ok:
      if (!receiving_) lower_->pause_receiving();
      handler_->on_connected();
      return true;
    case status::want_output_space:
      return true;
    case status::want_input:
      return !cipher_.empty();
    default:
      fail();
      return false;
  }
}

bool tls_stream::decrypt() {
  if (!receiving_ || (cipher_.empty() && !engine_.has_plaintext())) return false;
  buffer plain = lend(std::max(cipher_.size(), record_plaintext));
  const step done = engine_.decrypt(cipher_.bytes(), plain.room());
  cipher_.consume(done.consumed);
  plain.commit(done.produced);
  drop_taken();
  if (engine_.pending_output() > 0) send_pending();
  if (!plain.empty()) handler_->on_received(std::move(plain));
  if (closed_) return false;
  switch (done.what) {
    case status::ok:
    case status::want_output_space:
      return true;
    case status::want_input:
      return !cipher_.empty();
    case status::peer_closed:
      lower_end_ = {};
      tell_end();
      return false;
    default:
      fail();
      return false;
  }
}

void tls_stream::send_pending() {
  while (engine_.pending_output() > 0) {
    buffer out = lend(engine_.pending_output());
    out.commit(engine_.flush(out.room()).produced);
    lower_->send(std::move(out));
  }
}

void tls_stream::fail() {
  failure_ = engine_.error_text();
  send_pending();
  lower_end_ = {stream_end::kind::tls, 0};
  tell_end();
}

void tls_stream::tell_end() {
  end_told_ = true;
  cipher_ = buffer();
  behind_.clear();
  handler_->on_end(lower_end_);
}

sending tls_stream::send(buffer data) {
  if (closed_) return sending::broken;
  sending outcome = sending::done;
  while (!data.empty()) {
    const std::size_t records = data.size() / record_plaintext_to_client + 1;
    buffer out = lend(data.size() + records * record_overhead);
    const step done = engine_.encrypt(data.bytes(), out.room());
    data.consume(done.consumed);
    out.commit(done.produced);
    if (done.what == status::failed || (done.produced == 0 && done.consumed == 0)) {
      failure_ = engine_.error_text();
      return sending::broken;
    }
    if (!out.empty()) outcome = lower_->send(std::move(out));
    if (outcome == sending::broken) return outcome;
  }
  return outcome;
}

void tls_stream::finish_sending() {
  if (closed_) return;
  if (engine_.established()) {
    send_pending();
    buffer out = lend(limits::buffer_bytes_small);
    out.commit(engine_.shutdown(out.room()).produced);
    if (!out.empty()) lower_->send(std::move(out));
  }
  lower_->finish_sending();
}

void tls_stream::resume_receiving() {
  if (closed_) return;
  receiving_ = true;
  // What has come already is decrypted first; more would have no place beside it.
  if (cipher_.empty()) lower_->resume_receiving();
  if (!cipher_.empty() || engine_.has_plaintext() || lower_ended_) schedule();
}

void tls_stream::pause_receiving() {
  receiving_ = false;
  if (engine_.established()) lower_->pause_receiving();
}

void tls_stream::on_held() {
  if (!closed_ && engine_.established()) handler_->on_held();
}

void tls_stream::on_drained() {
  if (!closed_ && engine_.established()) handler_->on_drained();
}

void tls_stream::on_end(stream_end end) {
  if (closed_) return;
  if (end_told_) {
    // After close_notify (told as a FIN) only a break of the connection is news.
    if (end.what != stream_end::kind::fin) handler_->on_end(end);
    return;
  }
  lower_ended_ = true;
  lower_end_ = end;
  if (end.what != stream_end::kind::fin) return tell_end();
  if (engine_.established()) return process();
  schedule();
}

namespace {

/// What TLS keeps between two records goes along.
class parked_tls final : public runtime::parked_stream {
 public:
  parked_tls(std::unique_ptr<runtime::parked_stream> lower, engine session)
      : lower_(std::move(lower)), engine_(std::move(session)) {}
  std::unique_ptr<runtime::byte_stream> unpark(runtime::loop& where) override {
    return std::make_unique<tls_stream>(where, lower_->unpark(where), std::move(engine_));
  }

 private:
  std::unique_ptr<runtime::parked_stream> lower_;
  engine engine_;
};

}  // namespace

std::unique_ptr<runtime::parked_stream> tls_stream::park() {
  const bool at_rest = engine_.established() && cipher_.empty() && behind_.empty() &&
                       !engine_.has_plaintext() && engine_.pending_output() == 0;
  if (closed_ || lower_ended_ || end_told_ || processing_ || !at_rest) return nullptr;
  auto below = lower_->park();
  if (below == nullptr) return nullptr;
  closed_ = true;
  later_.cancel();
  return std::make_unique<parked_tls>(std::move(below), std::move(engine_));
}

void tls_stream::close() {
  if (closed_) return;
  closed_ = true;
  later_.cancel();
  cipher_ = buffer();
  behind_.clear();
  lower_->close();
}

void tls_stream::reset() {
  if (closed_) return;
  closed_ = true;
  later_.cancel();
  cipher_ = buffer();
  behind_.clear();
  lower_->reset();
}

const char* tls_stream::failure_text() const {
  return failure_.empty() ? lower_->failure_text() : failure_.c_str();
}

}  // namespace trunkline::tls
