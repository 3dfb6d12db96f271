#include "session/pooled_login.h"

#include <algorithm>
#include <utility>

#include "pool/link_pool.h"
#include "protocol/authentication.h"
#include "protocol/query_messages.h"
#include "protocol/session_start.h"
#include "session/access_gate.h"
#include "session/gateway_login.h"
#include "session/grant_question.h"
#include "session/server_account.h"
#include "session/side_errand.h"
#include "session/start_settings.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

constexpr std::string_view application_name = "application_name";

pool::pool_identity identity_of(const login_context& context, const std::string& server_user) {
  const config::route& route = *context.facts->route;
  std::string settings;
  std::string role;
  for (const auto& [name, value] : operator_settings(*context.facts)) {
    settings += name + '\0' + value + '\0';
    if (pool::folded(name) == "role") role = value == "none" ? "" : value;
  }
  return {.upstream = route.upstream,
          .target = context.facts->target,
          .database = route.database.empty() ? std::string(context.startup.database) : route.database,
          .user = server_user,
          .settings = std::move(settings),
          .role = std::move(role)};
}

/// What is known to make connections with; the newest login wins, since passwords change.
void refresh_source(login_context& context, pool::link_pool& pool, pool::server_secret secret) {
  const auto before = pool.source();
  if (before != nullptr && before->keeps == context.facts->setup && pool.open() > 0) return;
  auto made = std::make_shared<pool::link_source>();
  made->keeps = context.facts->setup;
  made->upstream = &context.upstream();
  made->tls = context.upstream_tls();
  made->options = context.facts->setup->socket_options;
  made->of = context.facts->setup->clusters[context.facts->route->upstream_index];
  made->zone = context.settings().zone;
  made->target = context.facts->target;
  made->mode = context.facts->route->pooling;
  made->guard = &context.shared->loops;
  made->work = &context.shared->work;
  made->keys = &context.shared->keys;
  made->secret = std::move(secret);
  made->log = &context.shared->log;
  std::vector<protocol::startup_parameter> parameters{{"user", pool.who().user},
                                                      {"database", pool.who().database}};
  const auto settings = operator_settings(*context.facts);
  for (const auto& [name, value] : settings)
    parameters.push_back({name, value});
  protocol::append_startup_message(made->startup_packet, {3, 0}, parameters);
  pool.set_source(std::move(made));
}

/// A claim that a coroutine waits for.
class awaited_claim final : public pool::claim {
 public:
  awaited_claim(runtime::signal& changed, pool::link_shelf& at) : changed_(changed), shelf_(at), place_(at) {}
  ~awaited_claim() override {
    if (made != nullptr) shelf_.give_back(std::move(made));
  }
  void take() { made = shelf_.take(*this); }

  std::unique_ptr<pool::link> made;
  std::optional<pool::connect_failure> failure;

 private:
  void granted(std::unique_ptr<pool::link> link) override {
    made = std::move(link);
    changed_.raise();
  }
  void refused(const pool::connect_failure& why) override {
    failure = why;
    changed_.raise();
  }

  runtime::signal& changed_;
  pool::link_shelf& shelf_;
  const pool::link_shelf::client_place place_;
};

void write_statuses(pool::welcome& of) {
  for (const auto& [name, value] : of.parameters.entries()) {
    if (name == application_name) {
      of.tells_application_name = true;
    } else {
      protocol::append_parameter_status(of.tells_application_name ? of.further_statuses : of.first_statuses,
                                        name, value);
    }
  }
}

/// The settings as the server shows them, where it does; those that are as after any login are left out.
pool::welcome welcome_of(const pool::link& link, const pool::setting_map& wanted,
                         const pool::parameter_list& told) {
  pool::welcome made;
  for (const auto& [name, value] : link.login_parameters->entries()) {
    const std::string folded = pool::folded(name);
    const std::string* now = told.find(name);
    if (now == nullptr) now = link.settings.find(folded);
    made.parameters.set(name, now == nullptr ? value : *now);
  }
  made.settings = wanted;
  for (const auto& [name, value] : made.parameters.entries()) {
    const std::string folded = pool::folded(name);
    if (wanted.find(folded) == nullptr) continue;
    if (*link.login_parameters->find(name) == value) {
      made.settings.erase(folded);
    } else {
      made.settings.set(folded, value);
    }
  }
  write_statuses(made);
  return made;
}

using welcome_pointer = std::shared_ptr<const pool::welcome>;

/// Puts the settings into effect on a borrowed connection, and sees what the server makes of them.
runtime::task<step<welcome_pointer>> try_settings(login_context* context, awaited_claim* claim,
                                                  const pool::setting_map* wanted) {
  pool::link& link = *claim->made;
  side_errand errand(side_errand::purpose::settings);
  const std::string query = pool::settings_query(link.settings, *wanted);
  if (!query.empty()) {
    net::channel aside(*context->loop, context->changed);
    aside.attach(std::move(link.stream), true);
    std::vector<std::byte> out;
    protocol::append_query(out, query);
    aside.write(out);
    for (bool over = false; !over && !aside.ended() && !context->client.ended();) {
      co_await context->changed.wait();
      const auto size = aside.unread().size();
      over = errand.take(aside.unread());
      aside.consume(size);
      if (!over) continue;
      link.stream = aside.release();
    }
    if (link.stream == nullptr) {
      const bool client_left = context->client.ended();
      link.stream = aside.release();
      context->pool_shelf->discard(std::move(claim->made));
      if (client_left) co_return std::unexpected(client_ended(context->client));
      co_return std::unexpected(server_ended(aside));
    }
  }
  if (errand.failed()) co_return std::unexpected(refused(errand.problem()));
  auto made = std::make_shared<pool::welcome>(welcome_of(link, *wanted, errand.parameters()));
  link.settings = made->settings;
  co_return made;
}

runtime::task<step<welcome_pointer>> find_welcome(login_context* context, pool::link_pool* pool,
                                                  const pool::setting_map* wanted) {
  const std::string key = wanted->packed();
  if (pool->open() > 0) {
    if (auto known = pool->find_welcome(key)) co_return known;
  }
  const auto began = context->loop->now();
  awaited_claim claim(context->changed, *context->pool_shelf);
  claim.take();
  while (claim.made == nullptr && !claim.failure && !context->client.ended())
    co_await context->changed.wait();
  context->time(telemetry::login_phase::lease) = context->loop->now() - began;
  if (claim.failure) co_return std::unexpected(login_end_of(context->client, std::move(*claim.failure)));
  if (claim.made == nullptr) co_return std::unexpected(client_ended(context->client));
  auto made = co_await try_settings(context, &claim, wanted);
  if (made) pool->keep_welcome(key, *made);
  co_return made;
}

step<cancel_registry::ticket> greet(login_context& context, const pool::welcome& told,
                                    const std::string& called) {
  auto issued = context.shared->cancels.add(*context.taker, context.client_version_is_long());
  if (!issued.ticket) {
    return std::unexpected(login_end{.cause = {cause::limit},
                                     .tell = error{.code = sqlstates::too_many_connections,
                                                   .message = "no cancel key is left for this session"}});
  }
  std::vector<std::byte> out;
  out.reserve(told.first_statuses.size() + told.further_statuses.size() + limits::buffer_bytes_small / 16);
  if (!context.authentication_told) append_authenticated(context, out);
  out.insert(out.end(), told.first_statuses.begin(), told.first_statuses.end());
  if (told.tells_application_name) protocol::append_parameter_status(out, application_name, called);
  out.insert(out.end(), told.further_statuses.begin(), told.further_statuses.end());
  protocol::append_backend_key_data(out, issued.ticket.pid(), issued.key);
  protocol::append_ready_for_query(out, protocol::transaction_status::idle);
  context.client.write(out);
  return std::move(issued.ticket);
}

}  // namespace

pooled_terms terms_of(const session_facts& facts, services& shared) {
  return {.worker = facts.worker,
          .statements = &shared.pools->statements(),
          .mode = facts.route->pooling,
          .on_unsafe = facts.route->on_unsafe,
          .session = facts.id};
}

bool is_pooled(const login_context& context) {
  return context.facts->route->pooling != config::pooling_mode::off && !context.opaque &&
         context.startup.replication == protocol::replication_mode::off && context.shared->pools != nullptr;
}

runtime::task<step<cancel_registry::ticket>> pooled_login(login_context* context, established* made) {
  const auto began = context->loop->now();
  negotiate_version(*context);
  auto proved = co_await prove_client(context);
  if (!proved) co_return std::unexpected(std::move(proved.error()));
  context->time(telemetry::login_phase::auth) = context->loop->now() - began;
  if (auto admitted = co_await admit(context); !admitted)
    co_return std::unexpected(std::move(admitted.error()));
  auto wanted = start_settings(context->startup, operator_settings(*context->facts));
  if (!wanted) co_return std::unexpected(refused(std::move(wanted.error())));
  wanted->erase(application_name);
  wanted->erase(std::string(reason_setting));  // it was for those who decide
  for (const auto& [name, value] : principal_settings(*context))
    wanted->set(name, value);
  const std::string called = clean_application_name(application_name_of(*context));

  step<pool::server_secret> secret;
  if (has_own_role(*context)) {
    secret = co_await context->shared->roles->role_for(context);
  } else {
    secret = secret_for_server(*context, std::move(*proved));
  }
  if (!secret) co_return std::unexpected(std::move(secret.error()));
  context->facts->server_user = secret->user;
  auto pool = context->shared->pools->find_or_make(
      identity_of(*context, secret->user),
      {.route = context->facts->route->name, .database = std::string(context->startup.database)});
  refresh_source(*context, *pool, std::move(*secret));
  context->pool_shelf = &pool->shelf(context->facts->worker);

  const auto asked = context->loop->now();
  auto told = co_await find_welcome(context, pool.get(), &*wanted);
  context->time(telemetry::login_phase::server) = context->loop->now() - asked;
  if (!told) {
    note_refusal_of_server(*context, told.error().cause.code);
    co_return std::unexpected(std::move(told.error()));
  }

  pooled_start start{.pool = pool, .settings = (*told)->settings};
  if (!called.empty()) start.settings.set(application_name, called);
  for (const auto& [name, value] : (*told)->parameters.entries())
    start.rules.learn(name, value);
  context->rules = start.rules;
  auto ticket = greet(*context, **told, called);
  if (ticket) {
    made->pooled =
        std::make_unique<pooled_server>(terms_of(*context->facts, *context->shared), std::move(start));
  }
  co_return ticket;
}

}  // namespace trunkline::session
