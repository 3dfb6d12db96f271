#include "console/desk.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/limits.h"
#include "config/values.h"
#include "console/command.h"

namespace trunkline::console {

namespace {

/// Commands wait; a SHOW must not wait for them.
constexpr std::size_t threads = 4;

std::string known() {
  std::string names;
  for (const table& each : tables())
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

result<session::console_statement> resolve(const command& from) {
  session::console_statement made{.tag = from.tag, .effect = from.effect, .words = from.words};
  if (from.is != command::kind::show) return made;
  made.number = find_table(from.what);
  if (made.number < tables().size()) {
    made.columns = tables()[made.number].columns;
    return made;
  }
  error why{.source = error_source::client,
            .reaction = error_reaction::reject,
            .code = sqlstate("42601"),
            .message = fmt::format("the console does not know SHOW {}", shown(from.what)),
            .hint = "SHOW " + known()};
  if (from.what == "FDS") {
    why.code = sqlstates::feature_not_supported;
    why.message =
        "there is no SHOW FDS: it would hand out the sockets, cancel keys and passwords of sessions";
    why.hint =
        "SHOW SOCKETS and SHOW SESSIONS show what there is. On SIGUSR2 `trunkline serve` hands its sockets "
        "to a new binary.";
  }
  return fail(std::move(why));
}

}  // namespace

desk::desk(session::observer& from, session::commander& hand, std::string version)
    : from_(from),
      hand_(hand),
      version_(std::move(version)),
      statements_(limits::console_cache_bytes, false),
      stats_(std::chrono::steady_clock::now()),
      work_(threads, limits::console_sessions) {}

std::vector<result<session::console_statement>> desk::read(std::string_view sql) const {
  std::vector<result<session::console_statement>> all;
  for (const auto& each : read_commands(sql)) {
    all.push_back(each ? resolve(*each) : fail(each.error()));
    if (!all.back()) break;
  }
  return all;
}

result<std::string> desk::act_on_sessions(const std::string& verb, const std::string& about) {
  const auto silent = [](result<> done) -> result<std::string> {
    return done ? result<std::string>(std::string()) : fail(std::move(done.error()));
  };
  if (verb == "DISABLE") return silent(hand_.disable(about));
  if (verb == "ENABLE") return silent(hand_.enable(about));
  if (verb == "KILL") return hand_.kill(about);
  if (verb == "WAIT_CLOSE") return hand_.wait_close(about);
  const auto id = config::parse_integer(about);
  if (!id || *id < 0) {
    return fail({.source = error_source::client,
                 .reaction = error_reaction::reject,
                 .code = sqlstate("22023"),
                 .message = "invalid client pointer supplied",
                 .hint = "KILL_CLIENT takes the id that SHOW CLIENTS shows."});
  }
  return silent(hand_.kill_client(static_cast<std::uint64_t>(*id)));
}

result<> desk::act_on_process(const std::vector<std::string>& words) {
  const std::string& verb = words.front();
  if (verb == "RELOAD") return hand_.reload();
  if (verb == "SET") return hand_.set(words[1], words[2]);
  using how = session::commander::shutdown;
  if (words.size() == 1) return hand_.shut_down(how::now);
  return hand_.shut_down(words[1] == "WAIT_FOR_CLIENTS" ? how::wait_for_clients : how::wait_for_servers);
}

result<session::console_rows> desk::act(const std::vector<std::string>& words) {
  const std::string& verb = words.front();
  const std::string about = words.size() > 1 ? words[1] : "";
  result<std::string> said;
  if (verb == "PAUSE") {
    said = hand_.pause(about);
  } else if (verb == "RESUME") {
    said = hand_.resume(about);
  } else if (verb == "RECONNECT") {
    said = hand_.reconnect(about);
  } else if (verb == "SWITCHOVER") {
    const auto within = words.size() > 3 ? config::parse_duration(words[3]) : std::nullopt;
    said = hand_.switch_over(about, words[2], within.value_or(limits::switchover_time));
  } else if (verb == "RELOAD" || verb == "SET" || verb == "SHUTDOWN") {
    if (auto done = act_on_process(words); !done) said = fail(std::move(done.error()));
  } else {
    said = act_on_sessions(verb, about);
  }
  if (!said) return fail(said.error());
  return session::console_rows{.rows = {}, .notice = std::move(*said)};
}

result<session::console_rows> desk::rows(const session::console_statement& statement) {
  if (!statement.words.empty()) return act(statement.words);
  sight seen{.from = from_,
             .statements = statements_,
             .stats = stats_,
             .version = version_,
             .now = std::chrono::system_clock::now(),
             .clock = std::chrono::steady_clock::now()};
  if (statement.number >= tables().size()) return session::console_rows{};
  try {
    return tables()[statement.number].rows(seen);
  } catch (const std::exception& problem) {
    return fail({.reaction = error_reaction::reject, .message = problem.what()});
  }
}

}  // namespace trunkline::console
