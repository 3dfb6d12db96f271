// Puts TLS between a channel and its stream. Owner: the channel's loop thread.
#pragma once

#include "net/channel.h"
#include "tls/tls_stream.h"

namespace trunkline::tls {

/// The handshake begins at once, with what the channel had received and not consumed as its first ciphertext.
/// The channel is `connected` when the handshake is complete, and `ended` with `stream_end::kind::tls` when
/// it failed. The stream returned belongs to the channel.
inline const tls_stream* upgrade(runtime::loop& where, net::channel& channel, engine session) {
  auto received = channel.take_unread_buffers();
  auto stream = std::make_unique<tls_stream>(where, channel.release(), std::move(session));
  tls_stream* made = stream.get();
  channel.attach(std::move(stream), false);
  made->start(std::move(received));
  return made;
}

}  // namespace trunkline::tls
