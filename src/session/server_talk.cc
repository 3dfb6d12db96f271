#include "session/server_talk.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/query_messages.h"
#include "protocol/startup_message.h"

namespace trunkline::session {

server_talk::server_talk(talk_request request)
    : request_(std::move(request)),
      changed_(*request_.where),
      server_(*request_.where, changed_),
      search_(where(), &server_),
      late_(request_.where->timers(), &late, this) {
  late_.arm(request_.where->now() + request_.patience);
}

server_talk::~server_talk() {
  if (!is_open()) return;
  std::vector<std::byte> goodbye;
  protocol::append_terminate(goodbye);
  server_.write(goodbye);
}

void server_talk::late(void* self) {
  auto* talk = static_cast<server_talk*>(self);
  talk->too_late_ = true;
  talk->server_.abort();
}

pool::search_request server_talk::where() const {
  pool::search_request made;
  made.connect = {.where = request_.where,
                  .upstream = &upstream(),
                  .tls = request_.setup->upstream_tls[request_.upstream].get(),
                  .options = request_.setup->socket_options,
                  .guard = request_.guard};
  made.of = cluster();
  made.zone = request_.setup->settings->zone;
  made.give_up = request_.where->now() + request_.patience;
  return made;
}

std::vector<std::byte> server_talk::startup_packet() const {
  const protocol::startup_parameter parameters[] = {{"user", request_.as.user},
                                                    {"database", request_.database},
                                                    {"application_name", "trunkline roles"},
                                                    {"client_encoding", "UTF8"}};
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {3, 0}, parameters);
  return packet;
}

error server_talk::broken() const {
  return {.source = error_source::server,
          .reaction = error_reaction::retry,
          .code = sqlstates::connection_failure,
          .message = too_late_ ? "the server did not answer in time" : "the connection to the server broke"};
}

runtime::task<server_talk::outcome<>> server_talk::open(server_talk* self) {
  for (;;) {
    auto found = co_await pool::search::next(&self->search_);
    if (!found) co_return std::unexpected(std::move(found.error().why));
    auto done = co_await log_in(self, &*found);
    if (done) {
      found->turn.worked();
      self->lease_ = std::move(found->lease);
      co_return outcome<>();
    }
    if (!pool::fall_back(self->request_.as, done.error(), self->request_.where->now()))
      co_return std::unexpected(std::move(done.error().why));
  }
}

runtime::task<std::expected<void, pool::login_failure>> server_talk::log_in(server_talk* self,
                                                                            pool::found_server* found) {
  const pool::server_connection& to = found->connection;
  pool::server_login_request request{.keys = self->request_.keys, .server = &self->server_, .tls = to.tls};
  request.cleartext_is_safe =
      to.tls != nullptr || to.place.endpoint->is_local() || self->upstream().allow_cleartext_password;
  request.startup_packet = self->startup_packet();
  request.secret = self->request_.as;
  request.at = {self->cluster(), found->lease.on()->id};
  auto done = co_await pool::log_in_to_server(std::move(request));
  if (!done) co_return std::unexpected(std::move(done.error()));
  // ParameterStatus, BackendKeyData and ReadyForQuery; or a refusal after all.
  auto welcome = co_await take_answer(self);
  if (welcome) co_return std::expected<void, pool::login_failure>();
  co_return std::unexpected(pool::login_failure{
      .what = self->server_.ended() ? pool::login_failure::kind::ended : pool::login_failure::kind::refused,
      .why = std::move(welcome.error())});
}

runtime::task<server_talk::outcome<server_talk::rows>> server_talk::take_answer(server_talk* self) {
  side_errand errand(side_errand::purpose::inspection);
  std::size_t bytes = 0;
  for (bool over = false; !over;) {
    const auto size = self->server_.unread().size();
    bytes += size;
    if (bytes > limits::role_answer_bytes) {
      self->server_.abort();
      co_return std::unexpected(error{.source = error_source::server, .message = "the server says too much"});
    }
    over = errand.take(self->server_.unread());
    self->server_.consume(size);
    if (over) break;
    if (self->server_.ended()) co_return std::unexpected(errand.failed() ? errand.problem() : self->broken());
    co_await self->changed_.wait();
  }
  if (!errand.failed()) co_return errand.rows();
  error why = errand.problem();
  if (!errand.detail().empty()) why.message += ": " + errand.detail();
  std::replace(why.message.begin(), why.message.end(), '\n', ' ');
  co_return std::unexpected(std::move(why));
}

runtime::task<server_talk::outcome<server_talk::rows>> server_talk::ask(server_talk* self, secret_text sql) {
  if (!self->is_open()) co_return std::unexpected(self->broken());
  std::vector<std::byte> out;
  protocol::append_query(out, sql.reveal());
  self->server_.write(out);
  wipe(out.data(), out.size());
  co_return co_await take_answer(self);
}

runtime::task<> server_talk::rest(server_talk* self, runtime::duration time) {
  const runtime::deadline over(*self->request_.where, self->changed_, time);
  while (!over.passed() && self->is_open())
    co_await self->changed_.wait();
}

}  // namespace trunkline::session
