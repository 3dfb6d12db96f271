#include "session/negotiate.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "protocol/first_packet.h"
#include "session/cancel_service.h"
#include "tls/client_hello.h"
#include "tls/upgrade.h"

namespace trunkline::session {

using config::listener_tls_mode;
using telemetry::cause;

namespace {

config::ip_address ip_of(const net::socket_address& from) {
  return config::ip_address::parse(from.host_text()).value_or(config::ip_address{});
}

net::proxy_address proxy_address_of(const net::socket_address& from) {
  net::proxy_address made;
  if (from.family() == AF_INET) {
    made.family = net::proxy_family::ipv4;
    const auto& v4 = *reinterpret_cast<const sockaddr_in*>(from.get());
    std::copy_n(reinterpret_cast<const std::byte*>(&v4.sin_addr), 4, made.bytes.begin());
  } else if (from.family() == AF_INET6) {
    made.family = net::proxy_family::ipv6;
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(from.get());
    std::copy_n(reinterpret_cast<const std::byte*>(&v6.sin6_addr), 16, made.bytes.begin());
  }
  made.port = from.port();
  return made;
}

net::socket_address socket_address_of(const net::proxy_address& from) {
  if (from.family == net::proxy_family::ipv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(from.port);
    std::copy_n(from.bytes.begin(), 4, reinterpret_cast<std::byte*>(&v4.sin_addr));
    return {reinterpret_cast<const sockaddr*>(&v4), sizeof v4};
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(from.port);
  std::copy_n(from.bytes.begin(), 16, reinterpret_cast<std::byte*>(&v6.sin6_addr));
  return {reinterpret_cast<const sockaddr*>(&v6), sizeof v6};
}

bool may_send_proxy_header(const login_context& context) {
  const auto& sources = context.listener().proxy_protocol_sources;
  if (sources.empty() || context.client_address.is_unix()) return false;
  const auto source = ip_of(context.client_address);
  return std::any_of(sources.begin(), sources.end(),
                     [&](const auto& range) { return range.contains(source); });
}

/// A trusted source must send the header; bytes of any other source are the client's own.
runtime::task<step<>> read_proxy_header(login_context* context) {
  context->proxied.local = context->client_address.is_unix();
  if (!context->proxied.local) context->proxied.source = proxy_address_of(context->client_address);
  if (!may_send_proxy_header(*context)) co_return step<>();
  for (;;) {
    auto read = net::read_proxy_header(context->client.unread());
    if (auto* header = std::get_if<net::proxy_header>(&read)) {
      context->client.consume(header->consumed);
      if (!header->local) {
        context->proxied = *header;
        context->client_address = socket_address_of(header->source);
        context->facts->client = context->client_address.text();
      }
      co_return step<>();
    }
    if (auto* wrong = std::get_if<net::proxy_bad>(&read)) {
      co_return std::unexpected(
          login_end{.cause = {cause::protocol_client}, .detail = "PROXY protocol: " + wrong->why.message});
    }
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
}

error tls_required() {
  return {.source = error_source::client,
          .code = sqlstates::invalid_authorization,
          .message = "this listener accepts TLS connections only",
          .hint = "Connect with sslmode=require or stricter."};
}

/// Passthrough: read the ClientHello for its SNI and leave it unread.
runtime::task<step<>> read_client_hello(login_context* context) {
  for (;;) {
    auto read = tls::parse_client_hello(context->client.unread());
    if (auto* hello = std::get_if<tls::client_hello>(&read)) {
      context->facts->tls.edit().server_name = hello->server_name;
      context->facts->tls.edit().version = "passthrough";
      context->opaque = true;
      co_return step<>();
    }
    if (auto* wrong = std::get_if<tls::hello_bad>(&read)) {
      co_return std::unexpected(
          login_end{.cause = {cause::tls_client}, .detail = std::string(wrong->reason)});
    }
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
}

runtime::task<step<>> begin_tls(login_context* context, tls::negotiation how) {
  const auto& server = *context->facts->setup->listener_tls[context->facts->listener_index];
  const auto began = context->loop->now();
  context->client_tls = tls::upgrade(*context->loop, context->client, server.accept(how));
  while (!context->client.connected() && !context->client.ended())
    co_await context->changed.wait();
  if (!context->client.connected()) {
    auto why = client_ended(context->client);
    if (why.cause.what == cause::client_eof) why.detail = "the client left during the TLS handshake";
    why.silent = false;
    co_return std::unexpected(std::move(why));
  }
  const tls::engine& session = context->client_tls->session();
  tls_facts& noted = context->facts->tls.edit();
  noted.server_name = session.server_name();
  noted.version = std::string(session.version()) + " " + std::string(session.cipher());
  if (const auto shown = session.peer_certificate()) noted.client_certificate = shown->subject;
  context->time(telemetry::login_phase::tls) = context->loop->now() - began;
  co_return step<>();
}

runtime::task<step<>> answer_ssl_request(login_context* context) {
  if (context->client.unread().size() > protocol::ssl_request::consumed) {
    // They could be taken for decrypted bytes (CVE-2021-23214): an attack, or a client that cannot work.
    co_return std::unexpected(
        violation_by(error_source::client, {.source = error_source::client,
                                            .code = sqlstates::protocol_violation,
                                            .message = "received unencrypted data after SSL request"}));
  }
  context->client.consume(protocol::ssl_request::consumed);
  const auto mode = context->listener().tls.mode;
  const bool accept = mode != listener_tls_mode::disable && context->client_tls == nullptr;
  context->client.write(as_bytes(accept ? "S" : "N"));
  if (!accept) co_return step<>();
  context->ssl_request_seen = true;
  if (mode == listener_tls_mode::passthrough) co_return co_await read_client_hello(context);
  co_return co_await begin_tls(context, tls::negotiation::ssl_request);
}

runtime::task<step<>> begin_direct_tls(login_context* context) {
  const auto mode = context->listener().tls.mode;
  if (mode == listener_tls_mode::passthrough) co_return co_await read_client_hello(context);
  if (mode == listener_tls_mode::disable || context->client_tls != nullptr) {
    co_return std::unexpected(
        login_end{.cause = {cause::tls_client}, .detail = "direct TLS, but the listener does not speak TLS"});
  }
  co_return co_await begin_tls(context, tls::negotiation::direct);
}

runtime::task<step<>> take_startup(login_context* context, std::vector<std::byte> packet) {
  if (context->listener().tls.mode == listener_tls_mode::passthrough ||
      (context->listener().tls.mode == listener_tls_mode::require && context->client_tls == nullptr)) {
    co_return std::unexpected(refused(tls_required()));
  }
  context->startup_packet = std::move(packet);
  auto message = protocol::decode_startup_message(context->startup_packet);
  if (!message) {
    // 28000: no user name. The rest are violations of the protocol.
    if (message.error().code == sqlstates::invalid_authorization) {
      co_return std::unexpected(refused(message.error()));
    }
    co_return std::unexpected(violation_by(error_source::client, message.error()));
  }
  context->startup = std::move(*message);
  context->facts->user = context->startup.user;
  context->facts->database = context->startup.database;
  context->facts->application_name = context->startup.find("application_name").value_or("");
  co_return step<>();
}

std::vector<std::byte> copy_of(byte_span bytes) {
  return {bytes.begin(), bytes.end()};
}

/// What one first packet leads to. True: it was the last one.
runtime::task<step<bool>> handle(login_context* context, protocol::first_packet_result packet) {
  step<> outcome;
  bool last = false;
  if (std::holds_alternative<protocol::ssl_request>(packet)) {
    outcome = co_await answer_ssl_request(context);
  } else if (std::holds_alternative<protocol::gssenc_request>(packet)) {
    context->client.consume(protocol::gssenc_request::consumed);
    context->client.write(as_bytes("N"));
  } else if (std::holds_alternative<protocol::direct_tls>(packet)) {
    outcome = co_await begin_direct_tls(context);
  } else if (auto* cancel = std::get_if<protocol::cancel_request>(&packet)) {
    outcome = co_await serve_cancel(context, cancel->pid, copy_of(cancel->key));
  } else if (auto* startup = std::get_if<protocol::startup_message_packet>(&packet)) {
    auto whole = copy_of(startup->packet);
    context->client.consume(startup->consumed);
    outcome = co_await take_startup(context, std::move(whole));
    last = true;
  } else if (auto* wrong = std::get_if<protocol::bad>(&packet)) {
    outcome = std::unexpected(violation_by(error_source::client, wrong->why));
  } else {
    context->shared->not_postgres.fetch_add(1, std::memory_order_relaxed);
    outcome = std::unexpected(login_end{.cause = {cause::not_postgres}, .silent = true});
  }
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return last || context->opaque;
}

}  // namespace

net::proxy_header header_for_server(const login_context& context) {
  net::proxy_header made = context.proxied;
  if (!made.local && made.destination.family == net::proxy_family::none && context.client.connected())
    made.destination =
        proxy_address_of(net::socket_address::of_self(context.client.stream()->native_handle()));
  return made;
}

runtime::task<step<>> negotiate(login_context* context) {
  if (auto read = co_await read_proxy_header(context); !read) co_return read;
  for (int round = 0; round < limits::negotiation_rounds;) {
    auto packet = protocol::classify_first_packet(context->client.unread());
    if (std::holds_alternative<protocol::need_more>(packet)) {
      if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
      co_await context->changed.wait();
      continue;
    }
    auto done = co_await handle(context, std::move(packet));
    if (!done) co_return std::unexpected(std::move(done.error()));
    if (*done && context->facts->only_cancel) co_return std::unexpected(turned_away(*context));
    if (*done) co_return step<>();
    ++round;
  }
  co_return std::unexpected(violation_by(
      error_source::client, {.source = error_source::client,
                             .code = sqlstates::protocol_violation,
                             .message = "too many negotiation requests before the start-up packet"}));
}

}  // namespace trunkline::session
