#include "main/control_requests.h"

#include <signal.h>
#include <unistd.h>

#include <utility>

#include "base/limits.h"

namespace trunkline::main {

namespace {

error late(std::string message) {
  return {.reaction = error_reaction::retry,
          .code = sqlstates::cannot_connect_now,
          .message = std::move(message)};
}

}  // namespace

int control_requests::wake_signal() {
  return SIGRTMIN;
}

void control_requests::wake() {
  ::kill(::getpid(), wake_signal());
}

result<> control_requests::ask(control_verb verb, std::string key, std::string value) {
  auto answer = std::make_shared<std::promise<result<>>>();
  auto future = answer->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail(late("the gateway is shutting down"));
    // As many as there are threads of the console, so that this has a bound.
    waiting_.push_back({verb, std::move(key), std::move(value), std::move(answer)});
  }
  wake();
  if (future.wait_for(limits::reload_wait) != std::future_status::ready)
    return fail(late("no answer in time; the log says what becomes of it"));
  try {
    return future.get();
  } catch (const std::future_error&) {
    return fail(late("the gateway is shutting down"));
  }
}

void control_requests::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  waiting_.clear();  // broken promises
}

std::optional<control_requests::request> control_requests::next() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  auto first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

}  // namespace trunkline::main
