#include "console/desk.h"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "base/limits.h"
#include "console/command.h"

namespace trunkline::console {

namespace {

std::string known() {
  std::string names;
  for (const table& each : tables())
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  return names;
}

result<session::console_statement> resolve(const command& from) {
  session::console_statement made{.tag = from.tag, .effect = from.effect};
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
    why.message = "SHOW FDS is not in this version: the gateway hands no sockets over";
    why.hint = "SHOW SOCKETS and SHOW SESSIONS show what there is.";
  }
  return fail(std::move(why));
}

}  // namespace

desk::desk(session::observer& from, std::string version)
    : from_(from),
      version_(std::move(version)),
      statements_(limits::console_cache_bytes, false),
      stats_(std::chrono::steady_clock::now()),
      work_(1, limits::console_sessions) {}

std::vector<result<session::console_statement>> desk::read(std::string_view sql) const {
  std::vector<result<session::console_statement>> all;
  for (const auto& each : read_commands(sql)) {
    all.push_back(each ? resolve(*each) : fail(each.error()));
    if (!all.back()) break;
  }
  return all;
}

result<session::console_rows> desk::rows(const session::console_statement& statement) {
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
