#include "pool/endpoint_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/startup_message.h"
#include "runtime/random.h"
#include "telemetry/utf8.h"

namespace trunkline::pool {

using routing::endpoint_state;

namespace {

constexpr std::string_view who = "trunkline health";
constexpr sqlstate insufficient_privilege{"42501"};
constexpr sqlstate undefined_function{"42883"};

std::vector<std::byte> startup_packet(const config::health& asked) {
  const protocol::startup_parameter parameters[] = {
      {"user", asked.user.empty() ? std::string_view("trunkline") : asked.user},
      {"database", asked.database},
      {"application_name", who}};
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, {3, 0}, parameters);
  return packet;
}

/// The server takes no sessions now: starting, stopping, or not consistent yet. Whatever else it refuses, it
/// is there.
bool is_down(const login_failure& why) {
  return why.what == login_failure::kind::ended || why.what == login_failure::kind::violation ||
         why.why.code == sqlstates::cannot_connect_now || why.why.code == sqlstates::admin_shutdown;
}

std::unexpected<login_failure> timed_out(const config::health& asked) {
  return std::unexpected(login_failure{
      login_failure::kind::ended, {.message = fmt::format("no answer within {} ms", asked.timeout.count())}});
}

/// An interval that many gateways, and many endpoints, do not share.
runtime::duration jittered(runtime::duration about) {
  return about * (230 + std::to_integer<int>(runtime::random_bytes<1>()[0]) / 5) / 256;
}

}  // namespace

/// Raises the watch's signal when the time for an answer is over: what was opened is shut then, and every
/// wait on the channel ends.
class endpoint_watch::asking {
 public:
  asking(endpoint_watch& of, runtime::duration timeout)
      : of_(of), timer_(of.loop_.timers(), &asking::late, this) {
    timer_.arm(of.loop_.now() + timeout);
  }
  bool too_late() const { return too_late_; }

 private:
  static void late(void* self) {
    auto* over = static_cast<asking*>(self);
    over->too_late_ = true;
    if (over->of_.channel_ != nullptr) over->of_.channel_->abort();
    over->of_.changed_.raise();
  }
  endpoint_watch& of_;
  runtime::timer timer_;
  bool too_late_ = false;
};

endpoint_watch::endpoint_watch(runtime::loop& where, key_deriver keys, loop_guard* loops,
                               std::shared_ptr<member> of, endpoint_watch_owner& owner)
    : loop_(where), keys_(keys), loops_(loops), member_(std::move(of)), owner_(owner), changed_(where) {}

endpoint_watch::~endpoint_watch() {
  task_ = {};
  shut();
}

void endpoint_watch::configure(std::shared_ptr<const watch_setup> setup) {
  const bool same = setup_ != nullptr && setup_->upstream() == setup->upstream();
  setup_ = std::move(setup);
  member_->line.set_limit(setup_->upstream().max_logins);
  if (!same) restart();
}

void endpoint_watch::set_addresses(std::vector<net::socket_address> addresses) {
  const auto text = [](const std::vector<net::socket_address>& list) {
    std::string all;
    for (const auto& each : list)
      all += each.text() + " ";
    return all;
  };
  if (text(addresses) == text(addresses_)) return;
  addresses_ = std::move(addresses);
  restart();
}

/// Never called by the coroutine itself.
void endpoint_watch::restart() {
  task_ = {};
  shut();
  full_query_ = true;
  if (setup_ == nullptr || !setup_->upstream().health || addresses_.empty()) return;
  task_ = go_on(this, setup_);
  task_.start([](void*) {}, this);
}

void endpoint_watch::ask_now() {
  wanted_now_ = true;
  changed_.raise();
}

void endpoint_watch::run(std::string sql) {
  statement_ = std::move(sql);
  said_of_statement_.reset();
  ask_now();
}

void endpoint_watch::shut() {
  if (channel_ == nullptr) return;
  if (is_open() && logged_in_) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    channel_->write(goodbye);
  }
  logged_in_ = false;
  loop_.dispose(std::move(channel_));
}

void endpoint_watch::report(endpoint_state state, std::string said) {
  report_.state = state;
  report_.said = said.size() <= limits::endpoint_said_bytes
                     ? std::move(said)
                     : telemetry::valid_utf8(said.substr(0, limits::endpoint_said_bytes)) + "...";
  owner_.endpoint_changed(*this);
}

runtime::task<> endpoint_watch::go_on(endpoint_watch* self, std::shared_ptr<const watch_setup> setup) {
  for (;;) {
    self->wanted_now_ = false;
    co_await ask(self, setup);
    const auto& asked = *setup->upstream().health;
    const auto pause =
        self->owner_.in_a_hurry() ? std::min(asked.interval, limits::health_hurry) : asked.interval;
    co_await rest(self, jittered(pause));
  }
}

/// Until the time is over, somebody wants to know, or the connection breaks.
runtime::task<> endpoint_watch::rest(endpoint_watch* self, runtime::duration time) {
  runtime::deadline deadline(self->loop_, self->changed_, time);
  const bool open = self->is_open();
  while (!deadline.passed() && !self->wanted_now_ && self->is_open() == open)
    co_await self->changed_.wait();
}

runtime::task<> endpoint_watch::ask(endpoint_watch* self, std::shared_ptr<const watch_setup> setup) {
  const config::health& asked = *setup->upstream().health;
  const auto began = self->loop_.now();
  asking within(*self, asked.timeout);
  outcome done;
  if (!self->is_open()) done = co_await open(self, setup.get());
  if (done && !asked.user.empty() && !self->statement_.empty()) {
    done = co_await query(self, std::exchange(self->statement_, ""));
    self->said_of_statement_ = done ? "" : done.error().why.message;
    // What the server refuses is no word about the server.
    if (!done && done.error().what == login_failure::kind::refused) done = {};
  }
  if (done && !asked.user.empty()) {
    done = co_await query(self, std::string(health_query(self->full_query_)));
    const bool denied = !done && (done.error().why.code == insufficient_privilege ||
                                  done.error().why.code == undefined_function);
    if (denied && self->full_query_) {
      self->full_query_ = false;
      done = co_await query(self, std::string(health_query(false)));
    }
  }
  if (within.too_late() && self->report_.state == endpoint_state::up && self->member_->worked_at() >= began) {
    // A server that lets sessions in meanwhile is not down but busy.
    self->shut();
    co_return self->report(endpoint_state::up, timed_out(asked).error().why.message + ", but logins work");
  }
  if (within.too_late()) done = timed_out(asked);
  if (asked.user.empty() || !done) self->shut();
  if (self->looped_) co_return self->report(endpoint_state::self, "it leads back to this gateway");
  if (done) {
    const bool told = self->full_query_ || asked.user.empty();
    co_return self->report(endpoint_state::up,
                           told ? "" : "its system identifier cannot be read: the user may not");
  }
  const login_failure& why = done.error();
  if (is_down(why)) co_return self->report(endpoint_state::down, why.why.message);
  self->report_.answer.reset();
  self->report(endpoint_state::up, "its role is not known: " + why.why.message);
}

runtime::task<endpoint_watch::outcome> endpoint_watch::open(endpoint_watch* self, const watch_setup* setup) {
  self->shut();
  self->channel_ = std::make_unique<net::channel>(self->loop_, self->changed_);
  const config::upstream& upstream = setup->upstream();
  connect_request request{.where = &self->loop_,
                          .upstream = &upstream,
                          .tls = setup->tls.get(),
                          .options = setup->options,
                          .guard = self->loops_};
  self->looped_ = false;
  std::string failures;
  const auto patience = upstream.health->timeout / static_cast<int>(self->addresses_.size());
  for (const auto& address : self->addresses_) {
    server_place place{.endpoint = {self->member_, &self->member_->address}, .address = address};
    auto made = co_await connect_place(request, std::move(place), patience, self->channel_.get());
    if (made) {
      const auto guarded = std::move(made->guarded);
      auto done = co_await log_in(self, setup, std::move(*made));
      self->looped_ = guarded.looped();
      co_return done;
    }
    failures += (failures.empty() ? "" : "; ") + made.error().why.message;
  }
  co_return std::unexpected(login_failure{login_failure::kind::ended, {.message = std::move(failures)}});
}

runtime::task<endpoint_watch::outcome> endpoint_watch::log_in(endpoint_watch* self, const watch_setup* setup,
                                                              server_connection connection) {
  const config::upstream& upstream = setup->upstream();
  const config::health& asked = *upstream.health;
  net::channel* server = self->channel_.get();
  if (asked.user.empty()) {
    // Whoever asks to be authenticated accepts.
    server->write(startup_packet(asked));
    auto answer = co_await read_server_message(server);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (answer->type == 'R') co_return outcome();
    if (answer->type != 'E')
      co_return std::unexpected(
          login_failure{login_failure::kind::violation, {.message = "it is no Postgres server"}});
    const protocol::notice_fields fields(answer->body);
    login_failure why{login_failure::kind::refused,
                      {.code = fields.code(), .message = std::string(fields.message())}};
    if (is_down(why)) co_return std::unexpected(std::move(why));
    co_return outcome();
  }
  const bool local = connection.place.endpoint->is_local();
  server_login_request request{
      .keys = self->keys_,
      .server = server,
      .tls = connection.tls,
      .cleartext_is_safe = connection.tls != nullptr || local || upstream.allow_cleartext_password,
      .startup_packet = startup_packet(asked),
      .secret = {.user = asked.user, .password = asked.password}};
  auto done = co_await log_in_to_server(std::move(request));
  if (!done) co_return std::unexpected(std::move(done.error()));
  for (;;) {
    auto message = co_await read_server_message(server);
    if (!message) co_return std::unexpected(std::move(message.error()));
    const char type = message->type;
    if (type == 'E') {
      const protocol::notice_fields fields(message->body);
      co_return std::unexpected(login_failure{
          login_failure::kind::refused, {.code = fields.code(), .message = std::string(fields.message())}});
    }
    server->consume(message->size);
    if (type != 'Z') continue;
    self->logged_in_ = true;
    co_return outcome();
  }
}

runtime::task<endpoint_watch::outcome> endpoint_watch::query(endpoint_watch* self, std::string sql) {
  net::channel* server = self->channel_.get();
  std::vector<std::byte> out;
  protocol::append_query(out, sql);
  server->write(out);
  const auto asked_at = self->loop_.now();  // what it answers was so then, or later
  outcome done;
  for (;;) {
    auto message = co_await read_server_message(server);
    if (!message) co_return std::unexpected(std::move(message.error()));
    const char type = message->type;
    if (type == 'E') {
      const protocol::notice_fields fields(message->body);
      done = std::unexpected(login_failure{
          login_failure::kind::refused, {.code = fields.code(), .message = std::string(fields.message())}});
    }
    if (type == 'D') {
      const auto row = protocol::decode_data_row(message->body);
      if (auto answer = row ? read_health_row(*row) : std::nullopt) {
        self->report_.answer = answer;
        self->report_.asked = asked_at;
      }
    }
    server->consume(message->size);
    if (type == 'Z') co_return done;
  }
}

}  // namespace trunkline::pool
