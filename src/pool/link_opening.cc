#include "pool/link_opening.h"

#include <fmt/format.h>

#include <utility>

#include "base/limits.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"

namespace trunkline::pool {

namespace {

search_request request_of(runtime::loop& where, const link_source& from) {
  search_request request;
  request.connect = {.where = &where,
                     .upstream = from.upstream,
                     .tls = from.tls,
                     .options = from.options,
                     .guard = from.guard};
  request.of = from.of.get();
  request.target = from.target;
  request.zone = from.zone;
  request.give_up = where.now() + from.upstream->max_wait;
  return request;
}

bool is_of_server(sqlstate refusal) {
  return refusal == sqlstates::cannot_connect_now || refusal == sqlstates::admin_shutdown ||
         refusal == sqlstates::too_many_connections;
}

login_failure refusal_in(const protocol::frame& message) {
  const protocol::notice_fields fields(message.body);
  return {login_failure::kind::refused,
          {.source = error_source::server, .code = fields.code(), .message = std::string(fields.message())}};
}

}  // namespace

link_opening::link_opening(runtime::loop& where, std::shared_ptr<const link_source> from)
    : loop_(where),
      from_(std::move(from)),
      changed_(where),
      secret_(from_->secret),
      server_(where, changed_),
      search_(request_of(where, *from_), &server_),
      late_(
          where.timers(), [](void* self) { static_cast<link_opening*>(self)->server_.abort(); }, this),
      done_(where, &finished, this) {}

void link_opening::start(callback on_done, void* context) {
  on_done_ = on_done;
  context_ = context;
  task_ = run(this);
  task_.start([](void* self) { static_cast<link_opening*>(self)->done_.schedule(); }, this);
}

void link_opening::finished(void* opaque) {
  auto* self = static_cast<link_opening*>(opaque);
  self->on_done_(self->context_, *self, self->task_.take());
}

runtime::task<link_opening::outcome> link_opening::run(link_opening* self) {
  for (;;) {
    auto found = co_await search::next(&self->search_);
    if (!found) co_return std::unexpected(std::move(found.error()));
    self->late_.arm(self->loop_.now() + limits::link_login);
    self->in_recovery_.reset();
    auto made = co_await log_in(self, &*found);
    self->late_.disarm();
    if (made) {
      if (self->secret_.is_before && self->from_->log != nullptr)
        tell_of(*self->secret_.before, *self->from_->log, self->from_->upstream->name, self->secret_.user);
      found->turn.worked();
      found->lease.on()->worked(self->loop_.now());
      (*made)->lease = std::move(found->lease);
      (*made)->stream = self->server_.release();
      co_return std::move(*made);
    }
    login_failure why = std::move(made.error());
    if (fall_back(self->secret_, why, self->loop_.now())) {
      self->leave(std::move(*found), why.why.message, false);
      continue;
    }
    const bool another = why.what == login_failure::kind::ended || is_of_server(why.why.code);
    const bool goes_on = another && self->search_.can_go_on(found->lease);
    self->leave(std::move(*found), why.why.message, another || why.what == login_failure::kind::violation);
    if (!goes_on) co_return std::unexpected(connect_failure{.why = std::move(why.why)});
  }
}

/// Says goodbye to a server that will not do; the search goes on without it. A user whom it does not let in
/// is no fault of its own: others go on logging in there.
void link_opening::leave(found_server found, const std::string& why, bool servers_fault) {
  if (server_.connected() && !server_.ended()) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    server_.write(goodbye);
  }
  if (!servers_fault || interest{from_->of.get(), found.lease.on()->id}.is_closed()) return;
  found.turn.failed();
  found.lease.on()->failed(loop_.now(), 0.5);
  from_->of->suspect(found.lease.on()->id);
  search_.reject(found.lease, why);
}

runtime::task<std::expected<std::unique_ptr<link>, login_failure>> link_opening::log_in(link_opening* self,
                                                                                        found_server* found) {
  const link_source& from = *self->from_;
  const server_connection& to = found->connection;
  server_login_request request{.keys = {.where = &self->loop_, .work = from.work, .cache = from.keys},
                               .server = &self->server_,
                               .tls = to.tls,
                               .cleartext_is_safe = to.tls != nullptr || to.place.endpoint->is_local() ||
                                                    from.upstream->allow_cleartext_password,
                               .startup_packet = from.startup_packet,
                               .secret = self->secret_,
                               .at = {from.of.get(), found->lease.on()->id}};
  auto done = co_await log_in_to_server(std::move(request));
  if (!done) co_return std::unexpected(std::move(done.error()));
  auto made = std::make_unique<link>();
  made->place = to.place;
  if (to.tls != nullptr)
    made->server_tls = fmt::format("{} {}", to.tls->session().version(), to.tls->session().cipher());
  if (auto ready = co_await read_to_ready(self, made.get()); !ready)
    co_return std::unexpected(std::move(ready.error()));
  if (!self->in_recovery_ && self->role_must_be_asked()) {
    auto answer = co_await ask_for_recovery(self);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    self->in_recovery_ = *answer;
  }
  if (self->in_recovery_) {
    from.of->tell_role(found->lease.on()->id, *self->in_recovery_);
    const bool wants_replica = from.target == config::route_target::replica;
    const bool matters = wants_replica || from.target == config::route_target::primary;
    if (matters && *self->in_recovery_ != wants_replica) {
      co_return std::unexpected(login_failure{
          login_failure::kind::ended,
          {.source = error_source::server,
           .reaction = error_reaction::retry,
           .code = sqlstates::cannot_connect_now,
           .message = fmt::format("server {} is {}", found->lease.on()->name,
                                  *self->in_recovery_ ? "in recovery, and a primary is wanted"
                                                      : "a primary, and a replica is wanted")}});
    }
  }
  made->born = made->used = self->loop_.now();
  co_return made;
}

runtime::task<std::expected<void, login_failure>> link_opening::read_to_ready(link_opening* self,
                                                                              link* into) {
  auto parameters = std::make_shared<parameter_list>();
  for (std::size_t said = 0;;) {
    auto message = co_await read_server_message(&self->server_);
    if (!message) co_return std::unexpected(std::move(message.error()));
    said += message->size;
    if (message->type == 'E') co_return std::unexpected(refusal_in(*message));
    if (message->type == 'S') {
      if (const auto status = protocol::decode_parameter_status(message->body)) {
        parameters->set(status->name, status->value);
        if (status->name == "in_hot_standby") self->in_recovery_ = status->value == "on";
      }
    }
    if (message->type == 'K') {
      if (const auto key = protocol::decode_backend_key_data(message->body)) {
        into->server_pid = key->pid;
        into->server_key.assign(key->key.begin(), key->key.end());
      }
    }
    const bool ready = message->type == 'Z';
    self->server_.consume(message->size);
    if (ready) break;
    if (said > limits::login_answer_bytes) {
      co_return std::unexpected(login_failure{login_failure::kind::violation,
                                              {.source = error_source::server,
                                               .code = sqlstates::protocol_violation,
                                               .message = "the server says too much before it is ready"}});
    }
  }
  into->login_parameters = std::move(parameters);
  co_return std::expected<void, login_failure>();
}

/// With a single server that nobody asks there is nothing to be mixed up.
bool link_opening::role_must_be_asked() const {
  if (from_->target != config::route_target::primary && from_->target != config::route_target::replica)
    return false;
  const auto seen = from_->of->now();
  return seen->known.probed || seen->known.endpoints.size() > 1;
}

runtime::task<std::expected<bool, login_failure>> link_opening::ask_for_recovery(link_opening* self) {
  std::vector<std::byte> question;
  protocol::append_query(question, "SELECT pg_catalog.pg_is_in_recovery()");
  self->server_.write(question);
  std::optional<bool> answer;
  login_failure problem{login_failure::kind::violation,
                        {.message = "it does not say whether it is in recovery"}};
  for (;;) {
    auto message = co_await read_server_message(&self->server_);
    if (!message) co_return std::unexpected(std::move(message.error()));
    if (message->type == 'E') problem = refusal_in(*message);
    if (message->type == 'D') {
      const auto row = protocol::decode_data_row(message->body);
      if (row && row->size() == 1 && (*row)[0]) answer = as_text(*(*row)[0]) == "t";
    }
    const bool ready = message->type == 'Z';
    self->server_.consume(message->size);
    if (!ready) continue;
    if (answer) co_return *answer;
    co_return std::unexpected(std::move(problem));
  }
}

}  // namespace trunkline::pool
