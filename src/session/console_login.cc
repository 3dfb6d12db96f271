#include "session/console_login.h"

#include <algorithm>
#include <utility>

#include "config/glob.h"
#include "protocol/authentication.h"
#include "protocol/session_start.h"
#include "runtime/random.h"
#include "session/cancel_key.h"
#include "session/console_desk.h"
#include "session/gateway_login.h"
#include "session/verifier_lookup.h"

namespace trunkline::session {

namespace {

constexpr protocol::protocol_version newest_version{3, 2};

const config::console& console_of(const login_context& context) {
  return context.settings().admin.console;
}

bool is_one_of(const std::vector<std::string>& globs, std::string_view user) {
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& each) { return config::glob_match(each, user); });
}

bool may_enter(const login_context& context) {
  const auto& console = console_of(context);
  return is_one_of(console.users, context.startup.user) || is_one_of(console.readers, context.startup.user);
}

/// A key that belongs to no session (cancel_key.h: replica 0 does not exist): to cancel a console's statement
/// does nothing.
void append_key(const login_context& context, std::vector<std::byte>& out) {
  const auto noise = runtime::random_bytes<long_cancel_key_bytes>();
  const std::uint32_t pid = 1 + load_u32(noise.data()) % (cancel_slots - 1);
  const bool is_long = std::min(context.startup.version, newest_version) >= newest_version;
  protocol::append_backend_key_data(out, pid, byte_span(noise).subspan(4, is_long ? noise.size() - 4 : 4));
}

/// What libpq, JDBC, asyncpg and the others look at. The console always speaks UTF-8.
void append_parameters(const login_context& context, std::vector<std::byte>& out) {
  const std::string version = "15.0 (Trunkline " + std::string(context.shared->console->version()) + ")";
  const std::pair<std::string_view, std::string_view> all[] = {
      {"server_version", version},
      {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},
      {"application_name", context.facts->application_name.str()},
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"integer_datetimes", "on"},
      {"standard_conforming_strings", "on"},
      {"is_superuser", "off"},
      {"session_authorization", context.startup.user},
      {"default_transaction_read_only", "off"},
      {"in_hot_standby", "off"},
  };
  for (const auto& [name, value] : all)
    protocol::append_parameter_status(out, name, value);
}

}  // namespace

bool may_act_at_console(const session_facts& facts) {
  return is_one_of(facts.setup->settings->admin.console.users, facts.user.str());
}

bool wants_console(const login_context& context) {
  if (context.opaque || context.shared->console == nullptr || !console_of(context).is_open()) return false;
  return context.facts->database.str() == "trunkline" || context.facts->database.str() == "pgbouncer";
}

runtime::task<step<established>> console_login(login_context* context) {
  established made;
  made.console = true;
  auto& admissions = context->shared->admissions;
  const config::listener& listener = context->listener();
  context->places.listener = admissions.enter("listener:" + listener.name, listener.max_sessions);
  if (!context->places.listener)
    co_return std::unexpected(over_limit("on listener \"" + listener.name + "\""));

  negotiate_version(*context);
  // Nobody learns from the exchange who may enter: it is the same with a fake verifier, and fails at its end.
  auto user = co_await find_in_file(context, context->facts->setup->console_users.get(), may_enter(*context));
  if (!user) co_return std::unexpected(std::move(user.error()));
  auto proved = co_await authenticate_client(context, std::move(*user));
  if (!proved) co_return std::unexpected(std::move(proved.error()));
  // Only now, so that strangers cannot take these places.
  context->places.route = admissions.enter("console", limits::console_sessions);
  if (!context->places.route) co_return std::unexpected(over_limit("at the console"));

  std::vector<std::byte> out;
  append_authenticated(*context, out);
  append_parameters(*context, out);
  append_key(*context, out);
  protocol::append_ready_for_query(out, protocol::transaction_status::idle);
  context->client.write(out);
  co_return made;
}

}  // namespace trunkline::session
