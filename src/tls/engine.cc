#include "tls/engine.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "tls/engine_seed.h"
#include "tls/failure_text.h"
#include "tls/openssl.h"
#include "tls/span_bio.h"

namespace trunkline::tls {

engine::engine(engine_seed&& seed)
    : ssl_(seed.ssl), context_(std::move(seed.context)), server_(seed.server), direct_(seed.direct) {
  if (!seed.name.empty()) name_ = std::make_unique<std::string>(std::move(seed.name));
  if (!seed.problem.empty()) fail_with(std::move(seed.problem));
  BIO* bio = ssl_ == nullptr ? nullptr : new_span_bio();
  if (bio == nullptr) {
    fail_with("out of memory");
    return;
  }
  SSL_set_bio(ssl_, bio, bio);  // takes over the one reference for both directions
}

engine::engine(engine&& other) noexcept
    : ssl_(std::exchange(other.ssl_, nullptr)),
      context_(std::move(other.context_)),
      name_(std::move(other.name_)),
      failure_(std::move(other.failure_)),
      pending_(std::move(other.pending_)),
      server_(other.server_),
      direct_(other.direct_),
      established_(std::exchange(other.established_, false)),
      peer_closed_(other.peer_closed_),
      close_sent_(other.close_sent_) {}

engine& engine::operator=(engine&& other) noexcept {
  std::swap(ssl_, other.ssl_);
  std::swap(context_, other.context_);
  std::swap(name_, other.name_);
  std::swap(failure_, other.failure_);
  std::swap(pending_, other.pending_);
  std::swap(server_, other.server_);
  std::swap(direct_, other.direct_);
  std::swap(established_, other.established_);
  std::swap(peer_closed_, other.peer_closed_);
  std::swap(close_sent_, other.close_sent_);
  return *this;
}

engine::~engine() {
  if (ssl_ == nullptr) return;
  SSL_set_app_data(ssl_, nullptr);
  SSL_free(ssl_);
}

step engine::handshake(byte_span cipher_in, mutable_byte_span cipher_out) {
  const std::size_t drained = drain_spill(pending_, cipher_out);
  if (failure_ != nullptr) return failed_step(0, drained);
  if (pending_ != nullptr) return {status::want_output_space, 0, drained};
  if (established_) return {status::ok, 0, drained};

  span_io io{cipher_in, cipher_out.subspan(drained), pending_};
  point_callbacks_here();
  int outcome = 0;
  {
    const span_bio_scope scope(SSL_get_rbio(ssl_), io);
    ERR_clear_error();
    outcome = SSL_do_handshake(ssl_);
  }
  return handshake_step(outcome, io.taken, drained + io.given);
}

step engine::handshake_step(int outcome, std::size_t consumed, std::size_t produced) {
  const status what = outcome == 1 ? status::ok : classify(outcome);
  if (what == status::peer_closed) fail_with("the peer closed the session during the handshake");
  if (what == status::ok) note_established();
  if (failure_ != nullptr) return failed_step(consumed, produced);
  if (pending_ != nullptr) return {status::want_output_space, consumed, produced};
  return {what, consumed, produced};
}

step engine::decrypt(byte_span cipher_in, mutable_byte_span plain_out) {
  if (failure_ != nullptr || !established_) return failed_step(0, 0);
  if (peer_closed_) return {status::peer_closed, cipher_in.size(), 0};
  if (pending_output() >= limits::tls_pending_output_bytes) return {status::want_output_space, 0, 0};

  span_io io{cipher_in, {}, pending_};
  point_callbacks_here();
  const span_bio_scope scope(SSL_get_rbio(ssl_), io);
  std::size_t produced = 0;
  status what = status::ok;
  while (what == status::ok && produced < plain_out.size()) {
    const mutable_byte_span space = plain_out.subspan(produced);
    std::size_t count = 0;
    ERR_clear_error();
    const int outcome = SSL_read_ex(ssl_, space.data(), space.size(), &count);
    produced += count;
    if (outcome != 1) what = classify(outcome);
  }
  if (what == status::ok) {  // the space is used up
    const bool more = io.taken < cipher_in.size() || SSL_pending(ssl_) > 0;
    if (more) what = status::want_output_space;
    if (!more && produced == 0) what = status::want_input;
  } else if (what == status::want_input && produced > 0) {
    what = status::ok;
  } else if (what == status::peer_closed) {
    peer_closed_ = true;
    io.taken = cipher_in.size();  // RFC 8446 6.1: data after a closure alert is ignored
  }
  return {what, io.taken, produced};
}

step engine::encrypt(byte_span plain_in, mutable_byte_span cipher_out) {
  if (failure_ != nullptr || !established_ || close_sent_) return failed_step(0, 0);
  std::size_t consumed = 0;
  std::size_t produced = drain_spill(pending_, cipher_out);
  if (plain_in.empty()) return {pending_ == nullptr ? status::ok : status::want_output_space, 0, produced};

  span_io io{{}, cipher_out.subspan(produced), pending_};
  const span_bio_scope scope(SSL_get_rbio(ssl_), io);
  while (consumed < plain_in.size() && pending_ == nullptr) {
    const std::size_t room = io.out.size() - io.given;
    // A record as large as the space allows. Into a space too small for any, a short record is written whose
    // tail waits in `pending_`, but only as the first of a call: otherwise the caller comes back with more
    // space.
    const bool fits = room > record_overhead;
    if (!fits && (room == 0 || produced + io.given > 0)) break;
    const std::size_t size = std::min(
        {plain_in.size() - consumed, record_plaintext, fits ? room - record_overhead : std::size_t{64}});
    std::size_t count = 0;
    ERR_clear_error();
    const int outcome = SSL_write_ex(ssl_, plain_in.data() + consumed, size, &count);
    consumed += count;
    if (outcome != 1) {
      classify(outcome);
      if (failure_ == nullptr) fail_with("the session refused to send");
      return failed_step(consumed, produced + io.given);
    }
  }
  const bool all = consumed == plain_in.size() && pending_ == nullptr;
  return {all ? status::ok : status::want_output_space, consumed, produced + io.given};
}

step engine::shutdown(mutable_byte_span cipher_out) {
  std::size_t produced = drain_spill(pending_, cipher_out);
  if (established_ && failure_ == nullptr && !close_sent_) {
    close_sent_ = true;
    span_io io{{}, cipher_out.subspan(produced), pending_};
    const span_bio_scope scope(SSL_get_rbio(ssl_), io);
    ERR_clear_error();
    if (SSL_shutdown(ssl_) < 0) ERR_clear_error();  // the session is ending in any case
    produced += io.given;
  }
  return {pending_ == nullptr ? status::ok : status::want_output_space, 0, produced};
}

std::size_t engine::pending_output() const {
  return pending_ == nullptr ? 0 : pending_->size();
}

step engine::flush(mutable_byte_span cipher_out) {
  const std::size_t produced = drain_spill(pending_, cipher_out);
  return {pending_ == nullptr ? status::ok : status::want_output_space, 0, produced};
}

bool engine::has_plaintext() const {
  return established_ && !peer_closed_ && SSL_pending(ssl_) > 0;
}

/// An engine may have moved since the last call.
void engine::point_callbacks_here() {
  SSL_set_app_data(ssl_, this);
}

void engine::note_established() {
  established_ = true;
  if (!server_ && direct_ && alpn().empty()) {
    fail_with("the server selected no ALPN protocol, which direct TLS requires");
  }
}

status engine::classify(int outcome) {
  switch (SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_WANT_READ:
      return status::want_input;
    case SSL_ERROR_ZERO_RETURN:
      return status::peer_closed;
    default:
      fail_with(take_failure_text(server_));
      return status::failed;
  }
}

step engine::failed_step(std::size_t consumed, std::size_t produced) const {
  return {status::failed, consumed, produced};
}

/// The first reason stands: what OpenSSL says after a callback refused is less precise than what the callback
/// said.
void engine::fail_with(std::string text) {
  if (failure_ == nullptr) failure_ = std::make_unique<std::string>(std::move(text));
}

}  // namespace trunkline::tls
