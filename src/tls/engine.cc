#include "tls/engine.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "tls/engine_seed.h"
#include "tls/failure_text.h"
#include "tls/handover.h"
#include "tls/openssl.h"
#include "tls/settled.h"
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
  handover_ = std::make_unique<handover>();
}

engine::engine(engine&& other) noexcept
    : ssl_(std::exchange(other.ssl_, nullptr)),
      handover_(std::move(other.handover_)),
      settled_(std::move(other.settled_)),
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
  std::swap(handover_, other.handover_);
  std::swap(settled_, other.settled_);
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
  if (handover_ != nullptr) handover_->bytes_taken += io.taken;
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
  step done = settled_ == nullptr ? decrypt_by_openssl(cipher_in, plain_out)
                                  : settled_->records->decrypt(cipher_in, plain_out, pending_);
  if (done.what == status::peer_closed) {
    peer_closed_ = true;
    done.consumed = cipher_in.size();  // RFC 8446 section 6.1: data after a closure alert is ignored
  }
  if (done.what == status::failed && settled_ != nullptr) fail_with(settled_->records->failure());
  return done;
}

step engine::decrypt_by_openssl(byte_span cipher_in, mutable_byte_span plain_out) {
  if (pending_output() >= limits::tls_pending_output_bytes) return {status::want_output_space, 0, 0};

  span_io io{cipher_in, {}, pending_};
  point_callbacks_here();
  std::size_t produced = 0;
  status what = status::ok;
  {
    const span_bio_scope scope(SSL_get_rbio(ssl_), io);
    while (what == status::ok && produced < plain_out.size()) {
      const mutable_byte_span space = plain_out.subspan(produced);
      std::size_t count = 0;
      ERR_clear_error();
      const int outcome = SSL_read_ex(ssl_, space.data(), space.size(), &count);
      produced += count;
      if (outcome != 1) what = classify(outcome);
    }
  }
  if (handover_ != nullptr) handover_->bytes_taken += io.taken;
  if (what == status::ok) {  // the space is used up
    const bool more = io.taken < cipher_in.size() || SSL_pending(ssl_) > 0;
    if (more) what = status::want_output_space;
    if (!more && produced == 0) what = status::want_input;
  } else if (what == status::want_input && produced > 0) {
    what = status::ok;
  }
  // The client role waits for the first data, since session tickets come before it.
  if (produced > 0 && (what == status::ok || what == status::want_output_space)) settle();
  return {what, io.taken, produced};
}

step engine::encrypt(byte_span plain_in, mutable_byte_span cipher_out) {
  if (failure_ != nullptr || !established_ || close_sent_) return failed_step(0, 0);
  const std::size_t drained = drain_spill(pending_, cipher_out);
  if (plain_in.empty() || pending_ != nullptr) {
    const bool all = plain_in.empty() && pending_ == nullptr;
    return {all ? status::ok : status::want_output_space, 0, drained};
  }
  const mutable_byte_span space = cipher_out.subspan(drained);
  step done = settled_ == nullptr ? encrypt_by_openssl(plain_in, space)
                                  : settled_->records->encrypt(plain_in, space, pending_);
  if (done.what == status::failed && settled_ != nullptr) fail_with(settled_->records->failure());
  done.produced += drained;
  return done;
}

/// See record_layer::encrypt: records as large as the space allows, and only the first may spill.
step engine::encrypt_by_openssl(byte_span plain_in, mutable_byte_span cipher_out) {
  const std::size_t largest = server_ ? record_plaintext_to_client : record_plaintext;
  std::size_t consumed = 0;
  span_io io{{}, cipher_out, pending_};
  point_callbacks_here();
  const span_bio_scope scope(SSL_get_rbio(ssl_), io);
  while (consumed < plain_in.size() && pending_ == nullptr) {
    const std::size_t room = io.out.size() - io.given;
    const bool fits = room > record_overhead;
    if (!fits && (room == 0 || io.given > 0)) break;
    const std::size_t most = fits ? std::min(largest, room - record_overhead) : 64;
    const std::size_t size = std::min(plain_in.size() - consumed, most);
    std::size_t count = 0;
    ERR_clear_error();
    const int outcome = SSL_write_ex(ssl_, plain_in.data() + consumed, size, &count);
    consumed += count;
    if (outcome == 1) continue;
    classify(outcome);
    if (failure_ == nullptr) fail_with("the session refused to send");
    return failed_step(consumed, io.given);
  }
  const bool all = consumed == plain_in.size() && pending_ == nullptr;
  return {all ? status::ok : status::want_output_space, consumed, io.given};
}

step engine::shutdown(mutable_byte_span cipher_out) {
  std::size_t produced = drain_spill(pending_, cipher_out);
  if (established_ && failure_ == nullptr && !close_sent_) {
    close_sent_ = true;
    if (settled_ != nullptr) {
      produced += settled_->records->close(cipher_out.subspan(produced), pending_);
      return {pending_ == nullptr ? status::ok : status::want_output_space, 0, produced};
    }
    span_io io{{}, cipher_out.subspan(produced), pending_};
    point_callbacks_here();
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
  if (!established_ || peer_closed_) return false;
  return settled_ != nullptr ? settled_->records->has_plaintext() : SSL_pending(ssl_) > 0;
}

/// An engine may have moved since the last call.
void engine::point_callbacks_here() {
  SSL_set_app_data(ssl_, this);
}

void engine::note_established() {
  established_ = true;
  const std::string_view selected = alpn();
  if (!server_ && direct_ && selected.empty()) {
    fail_with("the server selected no ALPN protocol, which direct TLS requires");
  }
  if (!server_ && !selected.empty() && selected != alpn_protocol) {
    fail_with("the server selected another ALPN protocol than `postgresql`");
  }
  if (server_) settle();
}

/// Lets go of OpenSSL's session object where that is possible.
void engine::settle() {
  if (handover_ == nullptr || failure_ != nullptr) return;
  const handover_verdict verdict = may_hand_over(*ssl_, *handover_);
  if (verdict == handover_verdict::not_now) return;
  std::unique_ptr<record_layer> records;
  if (verdict == handover_verdict::ready) records = hand_over(*ssl_, *handover_, server_);
  handover_.reset();
  if (records == nullptr) return;
  auto facts = std::make_unique<settled>();
  facts->version = version();
  facts->cipher = cipher();
  facts->alpn = alpn();
  facts->peer = peer_certificate();
  facts->server_end_point = tls_server_end_point();
  facts->reused = session_reused();
  facts->records = std::move(records);
  settled_ = std::move(facts);
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // it is not being broken off
  SSL_free(std::exchange(ssl_, nullptr));
  context_.reset();
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
