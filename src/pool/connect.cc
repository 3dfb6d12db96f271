#include "pool/connect.h"

#include <cstring>
#include <utility>

#include "protocol/startup_message.h"
#include "runtime/deadline.h"
#include "tls/upgrade.h"

namespace trunkline::pool {
namespace {

using connected = std::expected<server_connection, connect_failure>;

error unreachable(std::string message) {
  return {.source = error_source::server,
          .reaction = error_reaction::retry,
          .code = sqlstates::cannot_connect,
          .message = std::move(message)};
}

std::string describe(runtime::stream_end end) {
  switch (end.what) {
    case runtime::stream_end::kind::fin:
      return "the server closed the connection";
    case runtime::stream_end::kind::timed_out:
      return "timed out";
    default:
      return end.code != 0 ? std::strerror(end.code) : "the connection broke";
  }
}

using kind = connect_failure::kind;

std::unexpected<connect_failure> failed(kind what, std::string message) {
  return std::unexpected(connect_failure{unreachable(std::move(message)), what});
}

bool is_abandoned(const connect_request& request) {
  return request.on_behalf_of != nullptr && request.on_behalf_of->ended();
}

/// What a step of the connection waits with.
struct attempt {
  const connect_request& request;
  net::channel& channel;
  runtime::deadline& deadline;

  bool goes_on() const {
    return !channel.ended() && !deadline.passed() && !is_abandoned(request) && !request.at.is_lost();
  }
  std::unexpected<connect_failure> failure(kind what, const std::string& late) const {
    if (is_abandoned(request)) return failed(kind::abandoned, "the client is gone");
    if (channel.ended() && channel.end().what == runtime::stream_end::kind::tls)
      return failed(kind::tls, std::string("TLS: ") + channel.stream()->failure_text());
    if (channel.ended()) return failed(what, describe(channel.end()));
    return failed(what, deadline.passed() ? late : "it was found to be down");
  }
};

/// Until the channel is connected (TCP, or TLS on top of it).
runtime::task<std::expected<void, connect_failure>> await_connected(const attempt* with, kind what) {
  while (!with->channel.connected() && with->goes_on())
    co_await with->channel.changed().wait();
  if (with->channel.connected()) co_return std::expected<void, connect_failure>();
  co_return with->failure(what, "timed out");
}

void send_proxy_header(const connect_request& request, net::channel& channel) {
  std::vector<std::byte> header;
  if (request.upstream->proxy_protocol == config::proxy_header::v1) append_proxy_v1(header, request.client);
  if (request.upstream->proxy_protocol == config::proxy_header::v2) append_proxy_v2(header, request.client);
  if (!header.empty()) channel.write(header);
}

/// 'S' true, 'N' false.
runtime::task<std::expected<bool, connect_failure>> ask_for_tls(const attempt* with) {
  net::channel* channel = &with->channel;
  std::vector<std::byte> request;
  protocol::append_ssl_request(request);
  channel->write(request);
  while (channel->unread().empty() && with->goes_on())
    co_await channel->changed().wait();
  if (channel->unread().empty())
    co_return with->failure(kind::unreachable, "no answer to SSLRequest in time");
  const char answer = static_cast<char>(channel->unread().front());
  channel->consume(1);
  if (answer != 'S' && answer != 'N') {
    co_return failed(kind::tls, "the answer to SSLRequest is neither S nor N: is this a Postgres server?");
  }
  if (answer == 'S' && !channel->unread().empty()) {
    // Plaintext behind the S could pass for decrypted data (CVE-2021-23222).
    co_return failed(kind::tls, "unencrypted bytes came after the answer to SSLRequest");
  }
  co_return answer == 'S';
}

/// TLS as the upstream's mode asks for it. Null: the leg stays plaintext.
runtime::task<std::expected<const tls::tls_stream*, connect_failure>> negotiate_tls(
    const attempt* with, const config::address* named) {
  const connect_request& request = with->request;
  const config::address& endpoint = *named;
  if (request.plain || !request.upstream->uses_tls(endpoint)) co_return nullptr;
  const auto how = request.upstream->tls.direct ? tls::negotiation::direct : tls::negotiation::ssl_request;
  if (how == tls::negotiation::ssl_request) {
    auto accepted = co_await ask_for_tls(with);
    if (!accepted) co_return std::unexpected(accepted.error());
    if (!*accepted) {
      if (request.upstream->tls.mode == config::upstream_tls_mode::prefer) co_return nullptr;
      auto why = unreachable("the server does not speak TLS");
      why.hint = "set ssl = on there, or tls.mode: disable for this upstream";
      co_return std::unexpected(connect_failure{std::move(why), kind::tls});
    }
  }
  const tls::tls_stream* stream =
      tls::upgrade(*request.where, with->channel, request.tls->connect(endpoint.host, how));
  auto ready = co_await await_connected(with, kind::tls);
  if (!ready) co_return std::unexpected(std::move(ready.error()));
  co_return stream;
}

}  // namespace

runtime::task<connected> connect_place(connect_request request, server_place place,
                                       runtime::duration patience, net::channel* into) {
  auto socket = net::make_socket(place.address);
  if (!socket) co_return std::unexpected(connect_failure{socket.error()});
  net::apply_options(socket->get(), request.options);
  into->take_unread();
  into->attach(request.where->connect(socket->release(), place.address.get(), place.address.length()), false);
  runtime::deadline deadline(*request.where, into->changed(), patience);
  const attempt with{request, *into, deadline};
  auto ready = co_await await_connected(&with, kind::unreachable);
  if (!ready) co_return std::unexpected(std::move(ready.error()));
  loop_guard::watched guarded;
  if (request.guard != nullptr)
    guarded =
        request.guard->watch(net::socket_address::of_self(into->stream()->native_handle()), place.address);
  send_proxy_header(request, *into);
  auto secured = co_await negotiate_tls(&with, place.endpoint.get());
  if (!secured) co_return std::unexpected(secured.error());
  co_return server_connection{std::move(place), *secured, std::move(guarded)};
}

}  // namespace trunkline::pool
