#include "main/gateway_commander.h"

#include <future>
#include <utility>

#include "base/limits.h"
#include "pool/refusal.h"

namespace trunkline::main {

using pool::refusal;

result<std::string> gateway_commander::on_one(const std::string& upstream, std::chrono::milliseconds at_most,
                                              const act& what) {
  auto done = std::make_shared<std::promise<result<std::string>>>();
  auto future = done->get_future();
  const bool known = servers_.with(upstream, [what, done = std::move(done)](pool::cluster_watch& watch) {
    what(watch, [done](result<std::string> answer) { done->set_value(std::move(answer)); });
  });
  if (!known)
    return fail(refusal(pool::undefined_object, "there is no upstream \"" + upstream + "\"",
                        "SHOW UPSTREAMS lists them."));
  if (future.wait_for(at_most + limits::command_wait) != std::future_status::ready)
    return fail(refusal(sqlstates::internal_error, "no answer for upstream \"" + upstream + "\" in time"));
  try {
    return future.get();
  } catch (const std::future_error&) {
    return fail(refusal(sqlstates::cannot_connect_now, "the gateway is shutting down"));
  }
}

result<std::string> gateway_commander::on(const std::string& upstream, std::chrono::milliseconds at_most,
                                          const act& what) {
  if (!upstream.empty()) return on_one(upstream, at_most, what);
  std::string all;
  for (const auto& each : servers_.all()) {
    auto one = on_one(each->name(), at_most, what);
    if (!one) return one;
    if (!one->empty()) all += (all.empty() ? "" : "; ") + *one;
  }
  return all;
}

result<std::string> gateway_commander::pause(const std::string& upstream) {
  return on(upstream, limits::pause_wait,
            [](pool::cluster_watch& watch, auto done) { watch.pause(std::move(done)); });
}

result<std::string> gateway_commander::resume(const std::string& upstream) {
  return on(upstream, {}, [](pool::cluster_watch& watch, auto done) {
    watch.resume();
    done(std::string());
  });
}

result<std::string> gateway_commander::reconnect(const std::string& upstream) {
  return on(upstream, {}, [](pool::cluster_watch& watch, auto done) {
    watch.reconnect();
    done(std::string());
  });
}

result<std::string> gateway_commander::switch_over(const std::string& upstream, const std::string& endpoint,
                                                   std::chrono::milliseconds within) {
  return on_one(upstream, within + limits::promotion_wait,
                [endpoint, within](pool::cluster_watch& watch, auto done) {
                  watch.switch_over(endpoint, within, std::move(done));
                });
}

}  // namespace trunkline::main
