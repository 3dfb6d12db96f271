#include "pool/connect.h"

#include <cstring>
#include <utility>

#include "net/resolve.h"
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

/// Until the channel is connected (TCP, or TLS on top of it).
runtime::task<result<>> await_connected(net::channel* channel, runtime::deadline* deadline) {
  while (!channel->connected() && !channel->ended() && !deadline->passed())
    co_await channel->changed().wait();
  if (channel->connected()) co_return result<>();
  if (channel->ended() && channel->end().what == runtime::stream_end::kind::tls) {
    co_return fail(unreachable(std::string("TLS: ") + channel->stream()->failure_text()));
  }
  co_return fail(unreachable(channel->ended() ? describe(channel->end()) : "timed out"));
}

void send_proxy_header(const connect_request& request, net::channel& channel) {
  std::vector<std::byte> header;
  if (request.upstream->proxy_protocol == config::proxy_header::v1) append_proxy_v1(header, request.client);
  if (request.upstream->proxy_protocol == config::proxy_header::v2) append_proxy_v2(header, request.client);
  if (!header.empty()) channel.write(header);
}

/// 'S' true, 'N' false.
runtime::task<std::expected<bool, connect_failure>> ask_for_tls(net::channel* channel,
                                                                runtime::deadline* deadline) {
  std::vector<std::byte> request;
  protocol::append_ssl_request(request);
  channel->write(request);
  while (channel->unread().empty() && !channel->ended() && !deadline->passed())
    co_await channel->changed().wait();
  if (channel->unread().empty()) {
    co_return std::unexpected(connect_failure{
        unreachable(channel->ended() ? describe(channel->end()) : "no answer to SSLRequest in time")});
  }
  const char answer = static_cast<char>(channel->unread().front());
  channel->consume(1);
  if (answer != 'S' && answer != 'N') {
    co_return std::unexpected(connect_failure{
        unreachable("the answer to SSLRequest is neither S nor N: is this a Postgres server?"), true});
  }
  if (answer == 'S' && !channel->unread().empty()) {
    // Plaintext behind the S could pass for decrypted data (CVE-2021-23222).
    co_return std::unexpected(
        connect_failure{unreachable("unencrypted bytes came after the answer to SSLRequest"), true});
  }
  co_return answer == 'S';
}

/// TLS as the upstream's mode asks for it. Null: the leg stays plaintext.
runtime::task<std::expected<const tls::tls_stream*, connect_failure>> negotiate_tls(
    connect_request request, server_place place, net::channel* channel, runtime::deadline* deadline) {
  const config::address& endpoint = request.upstream->endpoints[place.endpoint];
  if (request.plain || !request.upstream->uses_tls(endpoint)) co_return nullptr;
  const auto how = request.upstream->tls.direct ? tls::negotiation::direct : tls::negotiation::ssl_request;
  if (how == tls::negotiation::ssl_request) {
    auto accepted = co_await ask_for_tls(channel, deadline);
    if (!accepted) co_return std::unexpected(accepted.error());
    if (!*accepted) {
      if (request.upstream->tls.mode == config::upstream_tls_mode::prefer) co_return nullptr;
      auto why = unreachable("the server does not speak TLS");
      why.hint = "set ssl = on there, or tls.mode: disable for this upstream";
      co_return std::unexpected(connect_failure{std::move(why), true});
    }
  }
  const tls::tls_stream* stream =
      tls::upgrade(*request.where, *channel, request.tls->connect(endpoint.host, how));
  if (auto ready = co_await await_connected(channel, deadline); !ready) {
    co_return std::unexpected(connect_failure{ready.error(), true});
  }
  co_return stream;
}

}  // namespace

runtime::task<connected> connect_place(connect_request request, server_place place, net::channel* into) {
  auto socket = net::make_socket(place.address);
  if (!socket) co_return std::unexpected(connect_failure{socket.error(), false});
  net::apply_options(socket->get(), request.options);
  into->take_unread();
  into->attach(request.where->connect(socket->release(), place.address.get(), place.address.length()), false);
  runtime::deadline deadline(*request.where, into->changed(), request.upstream->connect_timeout);
  if (auto ready = co_await await_connected(into, &deadline); !ready) {
    co_return std::unexpected(connect_failure{ready.error(), false});
  }
  send_proxy_header(request, *into);
  auto secured = co_await negotiate_tls(request, place, into, &deadline);
  if (!secured) co_return std::unexpected(secured.error());
  co_return server_connection{std::move(place), *secured};
}

namespace {

using addresses = result<std::vector<net::socket_address>>;

runtime::task<addresses> addresses_of(connect_request request, const config::address* endpoint,
                                      net::channel* into) {
  if (endpoint->is_unix()) {
    auto path = net::socket_address::unix_path(endpoint->path);
    if (!path) co_return fail(path.error());
    co_return addresses(std::vector{*path});
  }
  if (auto literal = net::socket_address::ip(endpoint->host, endpoint->port)) {
    co_return addresses(std::vector{*literal});
  }
  runtime::job<addresses> lookup(*request.where, *request.work, into->changed());
  runtime::deadline deadline(*request.where, into->changed(), request.upstream->connect_timeout);
  if (!lookup.start([host = endpoint->host, port = endpoint->port] { return net::resolve(host, port); })) {
    co_return fail(unreachable("too many name look-ups wait already"));
  }
  while (!lookup.done() && !deadline.passed())
    co_await into->changed().wait();
  if (!lookup.done()) co_return fail(unreachable("name resolution timed out"));
  co_return lookup.take();
}

void note(connect_failure& all, const std::string& where, connect_failure one) {
  if (!all.why.message.empty()) all.why.message += "; ";
  all.why.message += where + ": " + one.why.message;
  if (!one.why.hint.empty()) all.why.hint = one.why.hint;
  all.tls = all.tls || one.tls;
}

}  // namespace

runtime::task<connected> connect_server(connect_request request, net::channel* into) {
  connect_failure all{.why = unreachable("")};
  all.why.code = sqlstates::connection_failure;
  for (std::size_t i = 0; i < request.upstream->endpoints.size(); ++i) {
    const config::address& endpoint = request.upstream->endpoints[i];
    auto found = co_await addresses_of(request, &endpoint, into);
    if (!found) {
      note(all, endpoint.text(), {found.error(), false});
      continue;
    }
    for (const net::socket_address& address : *found) {
      auto made = co_await connect_place(request, {i, address}, into);
      if (made) co_return made;
      note(all, endpoint.text(), made.error());
    }
  }
  all.why.message =
      "no server of upstream \"" + request.upstream->name + "\" can be reached: " + all.why.message;
  co_return std::unexpected(std::move(all));
}

}  // namespace trunkline::pool
