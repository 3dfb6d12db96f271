#include "storm/session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "protocol/message_reader.h"
#include "protocol/query_messages.h"
#include "protocol/session_start.h"
#include "runtime/deadline.h"
#include "storm/login.h"

namespace trunkline::storm {

runtime::task<outcome<>> session::open(session* self) {
  self->logged_in_ = false;
  self->notifications_.clear();
  std::optional<reached_place> anywhere;
  auto reached = co_await connection::reach(&self->connection_, std::move(anywhere));
  if (!reached) co_return reached;
  self->connection_.enter(stage::auth, self->connection_.of().login_patience());
  auto authenticated = co_await log_in(&self->connection_);
  if (!authenticated) co_return authenticated;
  self->connection_.leave_stage();
  self->connection_.enter(stage::lease, self->connection_.of().login_patience());
  auto ready = co_await await_ready(self);
  if (!ready) co_return ready;
  self->connection_.leave_stage();
  self->logged_in_ = true;
  self->last_used_ = std::chrono::steady_clock::now();
  co_return outcome<>();
}

runtime::task<outcome<>> session::await_ready(session* self) {
  for (;;) {
    auto message = co_await connection::next_message(&self->connection_);
    if (!message) co_return std::unexpected(std::move(message.error()));
    const char type = message->type;
    std::optional<problem> wrong;
    if (type == 'E') {
      wrong = problem_of(message->body, stage::lease);
    } else if (type == 'K') {
      if (const auto key = protocol::decode_backend_key_data(message->body)) {
        self->pid_ = key->pid;
        self->cancel_key_.assign(key->key.begin(), key->key.end());
      }
    } else if (type != 'Z' && !self->takes_aside(*message)) {
      wrong = self->connection_.failed(fault::out_of_protocol,
                                       std::string(message_name(type)) + " came before ReadyForQuery");
    }
    self->connection_.channel().consume(message->size);
    if (wrong) co_return std::unexpected(std::move(*wrong));
    if (type == 'Z') co_return outcome<>();
  }
}

bool session::takes_aside(const protocol::frame& message) {
  if (message.type == 'N') return true;
  if (message.type == 'S') {
    const auto status = protocol::decode_parameter_status(message.body);
    if (status && status->name == "server_version") server_version_ = status->value;
    return true;
  }
  if (message.type != 'A') return false;
  protocol::message_reader reader(message.body);
  (void)reader.u32();
  (void)reader.text();
  const std::string_view payload = reader.text();
  if (notifications_.size() < limits::storm_notifications) notifications_.emplace_back(payload);
  return true;
}

/// What a statement had to wait for a pooled connection is told by what others take that have one.
void session::leave_first_stage(const exchange& what) {
  tally& said = *connection_.of().said;
  usual_wait& usual = said.usual[static_cast<std::size_t>(what.kind)];
  const microseconds took = connection_.elapsed();
  microseconds waited{0};
  if (what.wait == pool_wait::none) usual.inside(took, said.over_time.elapsed());
  if (what.wait == pool_wait::possible) {
    waited = usual.beyond(took);
    ++said.compared;
  }
  connection_.leave_stage(what.own_pace, waited);
}

/// An error that ends a stage before any answer belongs to that stage, or to where there was no room.
stage session::stage_of(const problem& wrong, const exchange& what) {
  if (wrong.where >= stage::transfer) return wrong.where;
  if (wrong.what == fault::no_capacity && what.wait == pool_wait::possible) return stage::lease;
  return what.begins_in;
}

outcome<bool> session::take_messages(exchange& what, bool& first) {
  net::channel& channel = connection_.channel();
  for (;;) {
    auto read = protocol::next_frame(channel.unread(), limits::login_message_bytes, error_source::server);
    if (std::holds_alternative<protocol::need_more>(read)) return false;
    const auto* message = std::get_if<protocol::frame>(&read);
    if (message == nullptr)
      return std::unexpected(
          connection_.failed(fault::out_of_protocol, "what came is no message of the protocol"));
    if (takes_aside(*message)) {
      channel.consume(message->size);
      continue;
    }
    auto step = what.reply.take(message->type, message->body);
    channel.consume(message->size);
    if (!step) return step;
    if (std::exchange(first, false)) {
      leave_first_stage(what);
      connection_.enter(stage::transfer, connection_.of().how->timeout);
    }
    if (*step) return step;
  }
}

runtime::task<outcome<>> session::ask(session* self, exchange* what) {
  connection& line = self->connection_;
  line.enter(what->begins_in, line.of().how->timeout);
  line.channel().write(what->request);
  bool first = true;
  for (;;) {
    const std::size_t before = line.channel().unread().size();
    auto step = self->take_messages(*what, first);
    if (!step) {
      problem wrong = std::move(step.error());
      wrong.where = stage_of(wrong, *what);
      co_return std::unexpected(std::move(wrong));
    }
    if (*step) break;
    if (line.channel().ended() || line.is_late()) co_return std::unexpected(line.silence(what->reply.next()));
    const std::size_t taken = before - line.channel().unread().size();
    if (what->read_bytes_per_second > 0 && taken > 0)
      co_await read_slowly(self, taken, what->read_bytes_per_second);
    else
      co_await line.changed().wait();
  }
  line.leave_stage(what->own_pace || what->read_bytes_per_second > 0);
  self->last_used_ = std::chrono::steady_clock::now();
  line.of().said->rows += what->reply.rows();
  co_return outcome<>();
}

/// Looks away for as long as so many bytes are to take.
runtime::task<void> session::read_slowly(session* self, std::size_t bytes, std::uint64_t per_second) {
  const auto pause = std::chrono::microseconds(bytes * 1'000'000 / per_second);
  runtime::deadline over(*self->connection_.of().where, self->connection_.changed(), pause);
  while (!over.passed() && !self->connection_.channel().broken())
    co_await self->connection_.changed().wait();
}

runtime::task<outcome<>> session::await_notification(session* self) {
  connection& line = self->connection_;
  while (self->notifications_.empty()) {
    auto message = co_await connection::next_message(&line);
    if (!message) co_return std::unexpected(std::move(message.error()));
    std::optional<problem> wrong;
    if (message->type == 'E') {
      wrong = problem_of(message->body, stage::transfer);
    } else if (!self->takes_aside(*message)) {
      wrong = line.failed(fault::stale_answer,
                          std::string(message_name(message->type)) + " came to an idle session");
    }
    line.channel().consume(message->size);
    if (wrong) co_return std::unexpected(std::move(*wrong));
  }
  co_return outcome<>();
}

void session::part() {
  if (is_open()) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    connection_.channel().write(goodbye);
  }
  drop();
}

runtime::task<outcome<>> session::leave(session* self) {
  connection& line = self->connection_;
  self->logged_in_ = false;
  line.enter(stage::close, line.of().how->timeout);
  std::vector<std::byte> goodbye;
  protocol::append_terminate(goodbye);
  line.channel().write(goodbye);
  auto ended = co_await connection::await_end(&line);
  if (ended) line.leave_stage();
  co_return ended;
}

}  // namespace trunkline::storm
