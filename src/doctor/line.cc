#include "doctor/line.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "doctor/icmp.h"
#include "net/socket.h"
#include "protocol/frame.h"
#include "protocol/startup_message.h"
#include "tls/upgrade.h"

namespace trunkline::doctor {
namespace {

using runtime::stream_end;

failure::kind kind_of(stream_end end) {
  if (end.what == stream_end::kind::tls) return failure::kind::tls;
  if (end.what == stream_end::kind::timed_out) return failure::kind::timed_out;
  if (end.what == stream_end::kind::fin) return failure::kind::closed;
  if (end.code == ECONNREFUSED || end.code == ENOENT) return failure::kind::refused;
  if (end.code == EHOSTUNREACH || end.code == ENETUNREACH || end.code == EADDRNOTAVAIL ||
      end.code == EHOSTDOWN)
    return failure::kind::unreachable;
  return failure::kind::reset;
}

std::string describe(stream_end end) {
  if (end.what == stream_end::kind::fin) return "it was closed (FIN)";
  if (end.code != 0) return std::strerror(end.code);
  return end.what == stream_end::kind::timed_out ? "it timed out" : "it was reset (RST)";
}

}  // namespace

line::line(examination& of) : of_(&of), changed_(*of.where), patience_(limits::doctor_patience) {}

int line::socket() const {
  return channel_ == nullptr || channel_->stream() == nullptr ? -1 : channel_->stream()->native_handle();
}

void line::close() {
  channel_.reset();
  tls_ = nullptr;
}

void line::reset() {
  if (channel_ != nullptr && channel_->stream() != nullptr) channel_->stream()->reset();
  close();
}

failure line::silence(const std::string& waiting_for) const {
  if (channel_ == nullptr || !channel_->ended())
    return {failure::kind::timed_out, waiting_for + " did not come in time"};
  const stream_end end = channel_->end();
  if (end.what == stream_end::kind::tls) return {failure::kind::tls, channel_->stream()->failure_text()};
  return {kind_of(end), "waiting for " + waiting_for + ": " + describe(end)};
}

runtime::task<outcome<>> line::connect(line* self) {
  return connect_to(self, self->of_->target);
}

runtime::task<outcome<>> line::connect_to(line* self, net::socket_address where) {
  self->close();
  auto socket = net::make_socket(where);
  if (!socket) co_return std::unexpected(failure{failure::kind::unreachable, socket.error().message});
  net::apply_options(socket->get(), {});
  if (self->keeps_icmp_) doctor::keep_icmp(socket->get());
  self->channel_ = std::make_unique<net::channel>(*self->of_->where, self->changed_);
  self->channel_->attach(self->of_->where->connect(socket->release(), where.get(), where.length()), false);
  co_return co_await await_connected(self, "the connection");
}

runtime::task<outcome<>> line::await_connected(line* self, std::string what) {
  runtime::deadline late(*self->of_->where, self->changed_, self->patience_);
  while (!self->channel_->connected() && !self->channel_->ended() && !late.passed())
    co_await self->changed_.wait();
  if (self->channel_->connected()) co_return outcome<>();
  co_return std::unexpected(self->silence(what));
}

runtime::task<outcome<>> line::await_bytes(line* self, std::size_t count, std::string what) {
  net::channel& channel = *self->channel_;
  runtime::deadline late(*self->of_->where, self->changed_, self->patience_);
  while (channel.unread().size() < count && !channel.ended() && !late.passed())
    co_await self->changed_.wait();
  if (channel.unread().size() < count) co_return std::unexpected(self->silence(what));
  co_return outcome<>();
}

runtime::task<outcome<char>> line::ask_for_tls(line* self) {
  std::vector<std::byte> request;
  protocol::append_ssl_request(request);
  self->write(request);
  auto there = co_await await_bytes(self, 1, "an answer to SSLRequest");
  if (!there) co_return std::unexpected(std::move(there.error()));
  const char answer = static_cast<char>(self->channel_->unread().front());
  self->channel_->consume(1);
  co_return answer;
}

runtime::task<outcome<>> line::start_tls(line* self, std::shared_ptr<const tls::client_context> with,
                                         std::string name, tls::negotiation how) {
  self->tls_ = tls::upgrade(*self->of_->where, *self->channel_, with->connect(name, how));
  co_return co_await await_connected(self, "the TLS handshake");
}

runtime::task<outcome<>> line::open(line* self) {
  const auto began = std::chrono::steady_clock::now();
  auto connected = co_await connect(self);
  self->connect_took_ = since(began);
  const client::conninfo& dsn = *self->of_->dsn;
  if (!connected || self->of_->tls == nullptr || self->of_->target.is_unix()) co_return connected;
  if (!dsn.direct_tls) {
    auto answer = co_await ask_for_tls(self);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (*answer == 'N' && dsn.ssl == client::ssl_mode::prefer) co_return outcome<>();
    if (*answer == 'N')
      co_return std::unexpected(failure{failure::kind::tls, "whoever answers does not speak TLS"});
    if (*answer != 'S')
      co_return std::unexpected(
          failure{failure::kind::protocol, "the answer to SSLRequest is neither S nor N"});
  }
  const auto how = dsn.direct_tls ? tls::negotiation::direct : tls::negotiation::ssl_request;
  co_return co_await start_tls(self, self->of_->tls, self->of_->host(), how);
}

runtime::task<outcome<message>> line::next(line* self) {
  net::channel& channel = *self->channel_;
  runtime::deadline late(*self->of_->where, self->changed_, self->patience_);
  for (;;) {
    auto read = protocol::next_frame(channel.unread(), limits::login_message_bytes, error_source::server);
    if (const auto* whole = std::get_if<protocol::frame>(&read)) {
      message made{whole->type, {whole->body.begin(), whole->body.end()}};
      channel.consume(whole->size);
      co_return made;
    }
    if (std::holds_alternative<protocol::bad>(read))
      co_return std::unexpected(
          failure{failure::kind::protocol, "what came is no message of PostgreSQL's protocol"});
    if (channel.ended() || late.passed()) co_return std::unexpected(self->silence("an answer"));
    co_await self->changed_.wait();
  }
}

runtime::task<outcome<stream_end>> line::await_end(line* self) {
  net::channel& channel = *self->channel_;
  runtime::deadline late(*self->of_->where, self->changed_, self->patience_);
  while (!channel.ended() && !late.passed()) {
    channel.consume(channel.unread().size());
    co_await self->changed_.wait();
  }
  if (!channel.ended()) co_return std::unexpected(self->silence("the end of the connection"));
  co_return channel.end();
}

runtime::task<void> pause(examination* of, runtime::duration length) {
  runtime::signal changed(*of->where);
  runtime::deadline over(*of->where, changed, length);
  while (!over.passed())
    co_await changed.wait();
}

}  // namespace trunkline::doctor
