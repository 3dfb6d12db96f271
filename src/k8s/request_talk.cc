#include "k8s/request_talk.h"

#include <utility>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {

namespace {

using std::chrono::steady_clock;

constexpr long unauthorized = 401;
constexpr long forbidden = 403;
constexpr long missing = 404;
constexpr long too_large = 413;
constexpr long invalid = 422;
constexpr long throttled = 429;
constexpr long broken = 500;

/// It would be the same with any other question.
bool is_outage(const api_answer& got) {
  return got.status == 0 || got.status == unauthorized || got.status == forbidden ||
         got.status == throttled || got.status >= broken;
}

}  // namespace

request_talk::request_talk(request_lines by) : by_(std::move(by)) {}

api_answer request_talk::ask(api_question what) {
  const moment sent = steady_clock::now();
  {
    std::lock_guard lock(mutex_);
    if (sent < rests_until_) return {.problem = problem_};
  }
  what.timeout = limits::k8s_store_timeout;
  auto got = by_.ask_and_wait(std::move(what));
  note(got, sent);
  return got;
}

void request_talk::send(api_question what, api_reply told) {
  what.timeout = limits::k8s_store_timeout;
  by_.ask(std::move(what), [self = weak_from_this(), sent = steady_clock::now(),
                            told = std::move(told)](api_answer got) mutable {
    const auto still = self.lock();
    if (still == nullptr) return;
    still->note(got, sent);
    told(std::move(got));
  });
}

void request_talk::note(const api_answer& got, moment sent) {
  const moment now = steady_clock::now();
  std::lock_guard lock(mutex_);
  if (got.server_time) clock_.hear(*got.server_time, sent, now);
  if (!is_outage(got)) {
    problem_.clear();
    rests_until_ = {};
    return;
  }
  problem_ = got.problem;
  // One that refuses at once holds nobody up.
  if (got.status == 0 && now - sent > limits::k8s_store_patience) rests_until_ = now + limits::k8s_store_rest;
}

void request_talk::heard() {
  std::lock_guard lock(mutex_);
  rests_until_ = {};
}

grants::wall_time request_talk::now() const {
  std::lock_guard lock(mutex_);
  return clock_.at(steady_clock::now()).value_or(grants::wall_now());
}

std::string request_talk::problem() const {
  std::lock_guard lock(mutex_);
  return problem_;
}

grants::store_failure failure_of(const api_answer& got) {
  using kind = grants::store_failure::kind;
  const bool refused = got.status == too_large || got.status == invalid;
  std::string message = got.problem;
  if (got.status == missing) message += " (is there a CustomResourceDefinition, and the namespace?)";
  return {.what = got.is_conflict() ? kind::conflict
                  : refused         ? kind::refused
                                    : kind::broken,
          .message = std::move(message)};
}

}  // namespace trunkline::k8s
