#include "grants/webhook.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/url_origin.h"
#include "grants/office.h"
#include "grants/webhook_body.h"

namespace trunkline::grants {

namespace {

using clock = std::chrono::steady_clock;

}  // namespace

webhook::webhook(webhook_target to, std::string gateway, telemetry::logger& log)
    : to_(std::move(to)), gateway_(std::move(gateway)), log_(log), thread_("webhook", [this] { serve(); }) {}

webhook::~webhook() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    last_moment_ = clock::now() + limits::webhook_farewell;
  }
  client_.end_at(last_moment_);
  changed_.notify_all();
  thread_.join();
}

void webhook::tell(const change& what) {
  delivery made{.id = {},
                .event = fmt::format("access.{}", name_of(what.what)),
                .body = {},
                .deadline = clock::now() + limits::webhook_deadline};
  {
    std::lock_guard lock(mutex_);
    made.id = fmt::format("{}-{}", gateway_, ++numbered_);
  }
  made.body = to_.slack ? slack_body(what) : json_body(what, made.id, wall_now());
  {
    std::lock_guard lock(mutex_);
    if (!stopping_ && waiting_.size() < limits::webhook_waiting) {
      waiting_.push_back(std::move(made));
      changed_.notify_one();
      return;
    }
  }
  lose(made, "too many wait for it");
}

void webhook::lose(const delivery& what, const std::string& problem) {
  lost_.fetch_add(1, std::memory_order_relaxed);
  log_.write(telemetry::log_level::warning, "webhook", "a message could not be delivered",
             {{"to", url_origin(to_.url.reveal())},
              {"what", what.event},
              {"delivery", what.id},
              {"problem", problem}});
}

bool webhook::next(delivery& into) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
  if (waiting_.empty()) return false;
  into = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

bool webhook::pause(std::chrono::milliseconds time, clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  const auto until = clock::now() + time;
  if (until >= deadline) return false;
  while (clock::now() < until) {
    if (stopping_ && last_moment_ < until) return false;
    changed_.wait_until(lock, until);
  }
  return true;
}

webhook::outcome webhook::post(const delivery& what, std::string& problem, std::chrono::milliseconds& wait) {
  http::request asked{.url = to_.url.reveal(),
                      .headers = {"Content-Type: application/json", "Trunkline-Event: " + what.event,
                                  "Trunkline-Delivery: " + what.id},
                      .body = &what.body,
                      .timeout = limits::webhook_timeout,
                      .answer_bytes = limits::webhook_answer_bytes};
  const auto now = std::chrono::floor<std::chrono::seconds>(wall_now()).time_since_epoch().count();
  if (!to_.secret.empty())
    asked.headers.push_back("Trunkline-Signature: " + signature_of(to_.secret, now, what.body));
  const auto got = client_.send(asked);
  if (!got) {
    problem = got.error().message;
    return outcome::again;
  }
  if (got->status >= 200 && got->status < 300) return outcome::taken;
  problem = fmt::format("status {}", got->status);
  wait = std::max(wait, std::chrono::milliseconds(got->retry_after));
  const bool passes = got->status == 408 || got->status == 429 || got->status >= 500;
  return passes ? outcome::again : outcome::refused;
}

void webhook::deliver(const delivery& what) {
  std::chrono::milliseconds wait = limits::webhook_retry;
  for (;;) {
    std::string problem;
    auto asked_for = wait;
    const outcome how = post(what, problem, asked_for);
    if (how == outcome::taken) {
      delivered_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (how == outcome::refused || !pause(asked_for, what.deadline)) return lose(what, problem);
    wait = std::min(wait * 2, limits::webhook_retry_most);
  }
}

void webhook::serve() {
  delivery each;
  while (next(each))
    deliver(each);
}

}  // namespace trunkline::grants
