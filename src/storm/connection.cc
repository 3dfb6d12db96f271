#include "storm/connection.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "protocol/startup_message.h"
#include "tls/upgrade.h"

namespace trunkline::storm {
namespace {

using runtime::stream_end;
using clock = std::chrono::steady_clock;

/// As small as a slow reader's window is to be; the kernel doubles it.
constexpr int slow_reader_window = 64 * 1024;

bool is_unreachable(int code) {
  return code == EHOSTUNREACH || code == ENETUNREACH || code == EADDRNOTAVAIL || code == EHOSTDOWN;
}

fault fault_of(stream_end end, stage where) {
  if (end.what == stream_end::kind::tls) return fault::tls_failed;
  if (end.what == stream_end::kind::timed_out) return fault::timed_out;
  if (end.what == stream_end::kind::fin) return fault::closed_early;
  if (where == stage::connect && (end.code == ECONNREFUSED || end.code == ENOENT)) return fault::refused;
  return is_unreachable(end.code) ? fault::unreachable : fault::reset;
}

std::string describe(stream_end end) {
  if (end.what == stream_end::kind::fin) return "it was closed (FIN)";
  if (end.code != 0) return std::strerror(end.code);
  return end.what == stream_end::kind::timed_out ? "it timed out" : "it was reset (RST)";
}

}  // namespace

connection::connection(path& of, runtime::signal& changed, stage_witness& witness)
    : path_(&of),
      changed_(&changed),
      witness_(&witness),
      timer_(of.where->timers(), &connection::timer_fired, this) {}

void connection::timer_fired(void* self) {
  auto& mine = *static_cast<connection*>(self);
  if (mine.due_ == nobody_waits) return;
  if (mine.due_ > mine.path_->where->now()) return mine.wait_until(mine.due_);
  mine.changed_->raise();
}

void connection::wait_until(runtime::time_point due) {
  due_ = due;
  if (!timer_.armed() || timer_.deadline() > due) timer_.arm(due);
}

void connection::enter(stage which, runtime::duration patience) {
  stage_ = which;
  began_ = clock::now();
  stalls_before_ = path_->stalls->so_far();
  patience_ = patience;
  seen_bytes_ = channel_ ? channel_->bytes_received() : 0;
  wait_until(path_->where->now() + patience);
}

void connection::leave_stage(bool own_pace, microseconds lease) {
  due_ = nobody_waits;
  const microseconds all = elapsed();
  const auto stalled = path_->stalls->so_far() - stalls_before_;
  if (lease > microseconds(0)) witness_->stage_took(stage::lease, lease, stalled, own_pace);
  witness_->stage_took(stage_, all - lease, stalled, own_pace);
}

microseconds connection::elapsed() const {
  return std::chrono::duration_cast<microseconds>(clock::now() - began_);
}

bool connection::is_late() {
  const auto now = path_->where->now();
  if (now < due_) return false;
  if (!channel_ || channel_->bytes_received() == seen_bytes_) return true;
  seen_bytes_ = channel_->bytes_received();
  wait_until(now + patience_);
  return false;
}

problem connection::failed(fault what, std::string message) const {
  return {.what = what, .where = stage_, .code = {}, .message = std::move(message)};
}

problem connection::silence(const std::string& waiting_for) const {
  if (channel_ == nullptr || !channel_->ended())
    return failed(fault::timed_out, waiting_for + " did not come in time");
  const stream_end end = channel_->end();
  if (end.what == stream_end::kind::tls) return failed(fault::tls_failed, channel_->stream()->failure_text());
  return failed(fault_of(end, stage_), "waiting for " + waiting_for + ": " + describe(end));
}

void connection::drop() {
  due_ = nobody_waits;
  timer_.disarm();
  if (channel_ != nullptr) path_->said->bytes_received += channel_->bytes_received();
  channel_.reset();
  tls_ = nullptr;
  local_port_ = 0;
}

void connection::reset() {
  if (channel_ != nullptr && channel_->stream() != nullptr) channel_->stream()->reset();
  drop();
}

runtime::task<outcome<>> connection::reach(connection* self, std::optional<reached_place> same) {
  outcome<> last;
  if (same) {
    last = co_await reach_address(self, std::move(*same));
    co_return last;
  }
  for (const server_address& server : self->path_->dsn->servers) {
    auto found = co_await look_up(self, server);
    if (!found) {
      last = std::unexpected(std::move(found.error()));
      continue;
    }
    for (const net::socket_address& address : *found) {
      reached_place place{server, address};
      last = co_await reach_address(self, std::move(place));
      if (last) co_return last;
    }
  }
  co_return last;
}

runtime::task<outcome<connection::addresses>> connection::look_up(connection* self, server_address server) {
  if (server.is_unix()) {
    auto made =
        net::socket_address::unix_path(server.reached_at + "/.s.PGSQL." + std::to_string(server.port));
    if (!made) co_return std::unexpected(self->failed(fault::no_address, made.error().message));
    co_return addresses{*made};
  }
  if (auto literal = net::socket_address::ip(server.reached_at, server.port)) co_return addresses{*literal};
  self->enter(stage::dns, self->path_->login_patience());
  using answer = result<addresses>;
  runtime::job<answer> work(*self->path_->where, *self->path_->work, *self->changed_);
  const bool accepted =
      work.start([host = server.reached_at, port = server.port] { return net::resolve(host, port); });
  if (!accepted) co_return std::unexpected(self->failed(fault::no_address, "too many look-ups wait"));
  while (!work.done() && !self->is_late())
    co_await self->changed_->wait();
  if (!work.done()) co_return std::unexpected(self->silence("the host's address"));
  answer found = work.take();
  if (!found) co_return std::unexpected(self->failed(fault::no_address, found.error().message));
  self->leave_stage();
  co_return std::move(*found);
}

runtime::task<outcome<>> connection::reach_address(connection* self, reached_place place) {
  self->drop();
  self->place_ = std::move(place);
  self->enter(stage::connect, self->path_->login_patience());
  auto socket = net::make_socket(self->place_.address);
  if (!socket) co_return std::unexpected(self->failed(fault::unreachable, socket.error().message));
  net::apply_options(socket->get(), {});
  if (self->slow_reader_)
    (void)::setsockopt(socket->get(), SOL_SOCKET, SO_RCVBUF, &slow_reader_window, sizeof slow_reader_window);
  self->channel_ = std::make_unique<net::channel>(*self->path_->where, *self->changed_);
  self->channel_->attach(self->path_->where->connect(socket->release(), self->place_.address.get(),
                                                     self->place_.address.length()),
                         false);
  auto ready = co_await await_connected(self);
  if (!ready) co_return ready;
  if (!self->place_.address.is_unix())
    self->local_port_ = net::socket_address::of_self(self->channel_->stream()->native_handle()).port();
  self->leave_stage();
  co_return co_await secure(self);
}

runtime::task<outcome<>> connection::await_connected(connection* self) {
  while (!self->channel_->connected() && !self->channel_->ended() && !self->is_late())
    co_await self->changed_->wait();
  if (self->channel_->connected()) co_return outcome<>();
  co_return std::unexpected(
      self->silence(self->stage_ == stage::ssl ? "the TLS handshake" : "the connection"));
}

runtime::task<outcome<>> connection::secure(connection* self) {
  const conninfo& dsn = *self->path_->dsn;
  if (self->path_->tls == nullptr || self->place_.server.is_unix()) co_return outcome<>();
  self->enter(stage::ssl, self->path_->login_patience());
  if (!dsn.direct_tls) {
    auto accepted = co_await ask_for_tls(self);
    if (!accepted) co_return std::unexpected(std::move(accepted.error()));
    if (!*accepted && dsn.ssl != ssl_mode::prefer)
      co_return std::unexpected(self->failed(fault::tls_failed, "whoever answers does not speak TLS"));
    if (!*accepted) {
      self->leave_stage();
      co_return outcome<>();
    }
  }
  const auto how = dsn.direct_tls ? tls::negotiation::direct : tls::negotiation::ssl_request;
  self->tls_ = tls::upgrade(*self->path_->where, *self->channel_,
                            self->path_->tls->connect(self->place_.server.host, how));
  auto ready = co_await await_connected(self);
  if (ready) self->leave_stage();
  co_return ready;
}

/// 'S' true, 'N' false.
runtime::task<outcome<bool>> connection::ask_for_tls(connection* self) {
  std::vector<std::byte> request;
  protocol::append_ssl_request(request);
  net::channel& channel = *self->channel_;
  channel.write(request);
  while (channel.unread().empty() && !channel.ended() && !self->is_late())
    co_await self->changed_->wait();
  if (channel.unread().empty()) co_return std::unexpected(self->silence("an answer to SSLRequest"));
  const char answer = static_cast<char>(channel.unread().front());
  channel.consume(1);
  if (answer != 'S' && answer != 'N')
    co_return std::unexpected(
        self->failed(fault::not_postgres, "the answer to SSLRequest is neither S nor N"));
  if (answer == 'S' && !channel.unread().empty())
    co_return std::unexpected(
        self->failed(fault::out_of_protocol, "plaintext came behind the answer to SSLRequest"));
  co_return answer == 'S';
}

runtime::task<outcome<protocol::frame>> connection::next_message(connection* self) {
  net::channel& channel = *self->channel_;
  for (;;) {
    auto read = protocol::next_frame(channel.unread(), limits::login_message_bytes, error_source::server);
    if (auto* whole = std::get_if<protocol::frame>(&read)) co_return *whole;
    if (std::holds_alternative<protocol::bad>(read)) {
      const bool login = self->stage_ < stage::query;
      co_return std::unexpected(self->failed(login ? fault::not_postgres : fault::out_of_protocol,
                                             "what came is no message of PostgreSQL's protocol"));
    }
    if (channel.ended() || self->is_late()) co_return std::unexpected(self->silence("an answer"));
    co_await self->changed_->wait();
  }
}

runtime::task<outcome<>> connection::await_end(connection* self) {
  net::channel& channel = *self->channel_;
  while (!channel.ended() && !self->is_late()) {
    channel.consume(channel.unread().size());
    co_await self->changed_->wait();
  }
  if (!channel.ended()) co_return std::unexpected(self->silence("the end of the connection"));
  co_return outcome<>();
}

}  // namespace trunkline::storm
