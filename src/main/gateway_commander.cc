#include "main/gateway_commander.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <utility>

#include "base/limits.h"
#include "config/glob.h"
#include "main/gateway.h"
#include "main/gateway_observer.h"
#include "pool/refusal.h"

namespace trunkline::main {

using pool::refusal;
using namespace std::chrono_literals;

namespace {

bool is_console(const std::string& database) {
  return database == "pgbouncer" || database == "trunkline";
}

/// By its own name: a pattern that fits by chance would let a slip of the pen pause an upstream.
bool is_named_by(const config::route& route, const std::string& database) {
  const auto& all = route.match.databases;
  return std::find(all.begin(), all.end(), database) != all.end();
}

/// A client of that database may come to this route.
bool takes(const config::route& route, const std::string& database) {
  const auto& globs = route.match.databases;
  return globs.empty() || std::any_of(globs.begin(), globs.end(), [&](const std::string& each) {
           return config::glob_match(each, database);
         });
}

error no_such_database(const std::string& name) {
  return refusal(pool::undefined_object, "no such database: " + name,
                 "SHOW UPSTREAMS and SHOW DATABASES list what there is.");
}

void add(std::vector<std::string>& to, const std::string& name) {
  if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
}

/// What the workers answer; lives as long as the slowest of them.
struct tally {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t ended = 0;
  std::size_t missing = 0;
};

}  // namespace

result<gateway_commander::meaning> gateway_commander::meaning_of(const std::string& name) const {
  const auto setup = gateway_.current();
  const auto& settings = *setup->settings;
  meaning found;
  for (const auto& each : settings.upstreams) {
    if (name.empty() || each.name == name) add(found.upstreams, each.name);
  }
  for (const auto& each : settings.routes) {
    if (name.empty() || !is_named_by(each, name)) continue;
    found.is_database = true;
    add(found.upstreams, each.upstream);
  }
  if (found.upstreams.empty()) return fail(no_such_database(name));
  return found;
}

result<> gateway_commander::check_database(const std::string& database) const {
  const auto setup = gateway_.current();
  const auto& routes = setup->settings->routes;
  const bool known =
      !is_console(database) &&
      std::any_of(routes.begin(), routes.end(), [&](const auto& each) { return takes(each, database); });
  if (!known) return fail(no_such_database(database));
  return {};
}

std::future<result<std::string>> gateway_commander::begin(const std::string& upstream, const act& what) {
  auto done = std::make_shared<std::promise<result<std::string>>>();
  auto future = done->get_future();
  const bool known = gateway_.servers().with(upstream, [what, done](pool::cluster_watch& watch) {
    what(watch, [done](result<std::string> answer) { done->set_value(std::move(answer)); });
  });
  if (!known) {
    done->set_value(fail(refusal(pool::undefined_object, "there is no upstream \"" + upstream + "\"",
                                 "SHOW UPSTREAMS lists them.")));
  }
  return future;
}

result<std::string> gateway_commander::await(std::future<result<std::string>> answer,
                                             std::chrono::milliseconds at_most) {
  if (answer.wait_for(at_most + limits::command_wait) != std::future_status::ready)
    return fail(refusal(sqlstates::internal_error, "no answer in time"));
  try {
    return answer.get();
  } catch (const std::future_error&) {
    return fail(refusal(sqlstates::cannot_connect_now, "the gateway is shutting down"));
  }
}

/// All begin before any is waited for.
result<std::string> gateway_commander::on(const names& upstreams, std::chrono::milliseconds at_most,
                                          const act& what) {
  std::vector<std::future<result<std::string>>> answers;
  for (const auto& each : upstreams)
    answers.push_back(begin(each, what));
  result<std::string> all;
  for (auto& each : answers) {
    auto one = await(std::move(each), at_most);
    if (!all) continue;
    if (!one) {
      all = std::move(one);
    } else if (!one->empty()) {
      *all += (all->empty() ? "" : "; ") + *one;
    }
  }
  return all;
}

result<std::string> gateway_commander::pause(const std::string& upstream) {
  const auto which = meaning_of(upstream);
  if (!which) return fail(which.error());
  return on(which->upstreams, limits::pause_wait,
            [](pool::cluster_watch& watch, auto done) { watch.pause(std::move(done)); });
}

result<std::string> gateway_commander::resume(const std::string& upstream) {
  const auto which = meaning_of(upstream);
  if (!which) return fail(which.error());
  const auto paused = std::make_shared<std::atomic<bool>>(false);
  auto done = on(which->upstreams, {}, [paused](pool::cluster_watch& watch, auto answer) {
    if (watch.is_paused()) paused->store(true);
    watch.resume();
    answer(std::string());
  });
  if (!done || paused->load()) return done;
  return fail(refusal(sqlstate("55000"), upstream.empty() ? "pooler is not paused/suspended"
                                                          : "database " + upstream + " is not paused"));
}

result<std::string> gateway_commander::reconnect(const std::string& upstream) {
  const auto which = meaning_of(upstream);
  if (!which) return fail(which.error());
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : which->upstreams)
      reconnected_[each] = std::chrono::system_clock::now();
  }
  return on(which->upstreams, {}, [](pool::cluster_watch& watch, auto done) {
    watch.reconnect();
    done(std::string());
  });
}

result<std::string> gateway_commander::switch_over(const std::string& upstream, const std::string& endpoint,
                                                   std::chrono::milliseconds within) {
  return await(begin(upstream,
                     [endpoint, within](pool::cluster_watch& watch, auto done) {
                       watch.switch_over(endpoint, within, std::move(done));
                     }),
               within + limits::promotion_wait);
}

result<> gateway_commander::disable(const std::string& database) {
  if (auto known = check_database(database); !known) return known;
  gateway_.databases().close(database);
  return {};
}

result<> gateway_commander::enable(const std::string& database) {
  if (auto known = check_database(database); !known) return known;
  gateway_.databases().open(database);
  return {};
}

result<std::size_t> gateway_commander::end_sessions(const session::session_kill& which) {
  auto counted = std::make_shared<tally>();
  counted->missing = gateway_.workers().size();
  for (const auto& each : gateway_.workers()) {
    each->kill(which, [counted](std::size_t ended) {
      const std::lock_guard lock(counted->mutex);
      counted->ended += ended;
      --counted->missing;
      counted->changed.notify_one();
    });
  }
  std::unique_lock lock(counted->mutex);
  const bool complete =
      counted->changed.wait_for(lock, limits::command_wait, [&] { return counted->missing == 0; });
  if (complete) return counted->ended;
  return fail(refusal(sqlstates::internal_error, "a worker is busy: its sessions end later"));
}

result<std::string> gateway_commander::kill(const std::string& database) {
  const auto which = meaning_of(database);
  if (!which) return fail(which.error());
  for (const auto& each : which->upstreams)
    gateway_.servers().with(each, [](pool::cluster_watch& watch) { watch.pause([](const auto&) {}); });
  session::session_kill wanted;
  (which->is_database ? wanted.database : wanted.upstream) = database;
  const auto ended = end_sessions(wanted);
  if (!ended) return fail(ended.error());
  return fmt::format("{} sessions ended; new ones wait until RESUME", *ended);
}

result<> gateway_commander::kill_client(std::uint64_t id) {
  const auto ended = id == 0 ? result<std::size_t>(0) : end_sessions({.id = id});
  if (!ended) return fail(ended.error());
  if (*ended == 0)
    return fail(refusal(pool::undefined_object, "client not found", "SHOW CLIENTS lists them."));
  return {};
}

result<std::string> gateway_commander::wait_close(const std::string& database) {
  const auto which = meaning_of(database);
  if (!which) return fail(which.error());
  std::map<std::string, std::chrono::system_clock::time_point> marks;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : which->upstreams) {
      if (const auto at = reconnected_.find(each); at != reconnected_.end()) marks.insert(*at);
    }
  }
  gateway_observer seen(gateway_);
  const auto until = std::chrono::steady_clock::now() + limits::close_wait;
  for (;;) {
    const auto all = seen.sessions();
    const auto left = std::count_if(all.sessions.begin(), all.sessions.end(), [&](const auto& each) {
      const auto mark = marks.find(each.upstream);
      return mark != marks.end() && each.started < mark->second && !each.outlives_server;
    });
    if (left == 0 && all.complete) return std::string();
    if (std::chrono::steady_clock::now() >= until)
      return fail(refusal(sqlstate("55006"), fmt::format("{} sessions are still there", left),
                          "They end as they come to rest."));
    // Nobody can answer any more for sessions of a gateway that ends.
    if (!gateway_.listens())
      return fail(refusal(sqlstates::cannot_connect_now, "the gateway is shutting down"));
    std::promise<void>().get_future().wait_for(100ms);
  }
}

result<> gateway_commander::reload() {
  return control_.ask(control_verb::reload);
}

result<> gateway_commander::set(const std::string& key, const std::string& value) {
  return control_.ask(control_verb::set, key, value);
}

result<> gateway_commander::shut_down(shutdown how) {
  switch (how) {
    case shutdown::wait_for_servers:
      return control_.ask(control_verb::shut_down_servers);
    case shutdown::wait_for_clients:
      return control_.ask(control_verb::shut_down_clients);
    case shutdown::now:
      return control_.ask(control_verb::shut_down);
  }
  return {};
}

}  // namespace trunkline::main
