#include "identity/issuer.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "identity/files.h"

namespace trunkline::identity {

namespace {

using std::chrono::milliseconds;
using clock = std::chrono::steady_clock;

std::string discovery_of(std::string_view issuer) {
  while (issuer.ends_with('/'))
    issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

std::string member(const nlohmann::json& of, const char* name) {
  const auto found = of.find(name);
  return found != of.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

question::question(runtime::loop& where, runtime::signal& changed) : state_(std::make_shared<state>()) {
  state_->where = &where;
  state_->changed = &changed;
}

issuer::issuer(config::issuer_keys from, own_token token, telemetry::logger& log)
    : from_(std::move(from)),
      token_(std::move(token)),
      log_(log),
      client_(from_.ca_file),
      retry_(limits::issuer_retry),
      asked_(true),
      thread_("issuer", [this] { serve(); }) {}

issuer::sight issuer::look() const {
  std::lock_guard lock(mutex_);
  const bool old = clock::now() - read_at_ >= limits::issuer_keys_life;
  return {.keys = old ? nullptr : keys_, .problem = problem_};
}

/// Precondition: the mutex is held.
bool issuer::begin_asking() {
  if (stopping_) return false;
  if (fetching_ || asked_) return true;
  // Each question is paid for with a gap of time; so many may be in debt.
  const auto now = clock::now();
  const auto gap = keys_ == nullptr ? limits::issuer_retry : limits::issuer_question_gap;
  const auto paid = std::max(questions_paid_, now) + gap;
  if (paid - now > gap * limits::issuer_questions) return false;
  questions_paid_ = paid;
  asked_ = true;
  changed_.notify_one();
  return true;
}

bool issuer::ask(question& by) {
  std::lock_guard lock(mutex_);
  if (!begin_asking()) return false;
  waiting_.push_back(by.state_);
  return true;
}

bool issuer::ask_and_wait(milliseconds most) {
  std::unique_lock lock(mutex_);
  const std::uint64_t before = answers_;
  if (!begin_asking()) return false;
  answered_.wait_for(lock, most, [&] { return stopping_ || answers_ != before; });
  return answers_ != before;
}

void issuer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  client_.end_at({});
  changed_.notify_all();
  answered_.notify_all();
  thread_.join();
}

void issuer::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait_until(lock, next_, [this] { return stopping_ || asked_ || clock::now() >= next_; });
    if (stopping_) return;
    asked_ = false;
    fetching_ = true;
    lock.unlock();
    auto answer = fetch();
    lock.lock();
    if (stopping_) return;
    fetching_ = false;
    take(std::move(answer), clock::now());
    ++answers_;
    answered_.notify_all();
    for (auto& each : waiting_) {
      runtime::loop* const where = each->where;
      where->post([asker = std::move(each)] {
        if (asker->changed == nullptr) return;
        asker->answered = true;
        asker->changed->raise();
      });
    }
    waiting_.clear();
  }
}

void issuer::take(result<auth::key_set> answer, time_point now) {
  if (!answer) {
    next_ = now + retry_;
    retry_ = std::min(2 * retry_, limits::issuer_retry_most);
    if (problem_ != answer.error().message) tell(false, answer.error().message);
    problem_ = answer.error().message;
    return;
  }
  if (keys_ == nullptr || !problem_.empty()) tell(true, "");
  problem_.clear();
  retry_ = limits::issuer_retry;
  next_ = now + limits::issuer_refresh;
  read_at_ = now;
  // What was checked with the same keys stays checked.
  if (keys_ == nullptr || keys_->fingerprint() != answer->fingerprint())
    keys_ = std::make_shared<const auth::key_set>(std::move(*answer));
}

void issuer::tell(bool worked, const std::string& problem) {
  const telemetry::field who[] = {{"issuer", std::string_view(from_.issuer)}};
  if (worked) {
    log_.write(telemetry::log_level::info, "issuer", "its keys are known", who);
  } else {
    log_.write(telemetry::log_level::warning, "issuer", "its keys cannot be read: " + problem, who);
  }
}

result<std::string> issuer::get(const std::string& url, time_point deadline) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - clock::now());
  if (left <= milliseconds(0)) return fail({.message = "it has taken too long"});
  http::request asked{.url = url, .timeout = left, .answer_bytes = limits::issuer_answer_bytes};
  if (!token_.file.empty() && url.starts_with(token_.host + "/")) {
    auto own = read_token_file(token_.file);
    if (!own) return fail(own.error());
    asked.bearer = std::move(*own);
  }
  auto answer = client_.send(asked);
  if (!answer) return fail({.message = url + ": " + answer.error().message});
  if (answer->status >= 300 && answer->status < 400)
    return fail({.message = url + ": it answers with a redirect, which is not followed"});
  if (answer->status != 200)
    return fail({.message = url + ": it answers with status " + std::to_string(answer->status)});
  return std::move(answer->body);
}

/// The discovery document's jwks_uri.
result<std::string> issuer::find_keys(time_point deadline) {
  const std::string url = discovery_of(from_.issuer);
  auto document = get(url, deadline);
  if (!document) return fail(document.error());
  const auto read = nlohmann::json::parse(*document, nullptr, false);
  if (!read.is_object()) return fail({.message = url + ": it is not JSON"});
  // OpenID Connect Discovery 1.0 section 4.3: or anyone could vouch for anyone.
  if (member(read, "issuer") != from_.issuer) return fail({.message = url + ": it is of another issuer"});
  std::string keys = member(read, "jwks_uri");
  const bool safe =
      keys.starts_with("https://") || (keys.starts_with("http://") && from_.issuer.starts_with("http://"));
  if (!safe) return fail({.message = url + ": its jwks_uri is none, or not https"});
  return keys;
}

result<auth::key_set> issuer::fetch() {
  const auto deadline = clock::now() + limits::issuer_timeout;
  auto url = from_.jwks_uri.empty() ? find_keys(deadline) : result<std::string>(from_.jwks_uri);
  if (!url) return fail(url.error());
  auto text = get(*url, deadline);
  if (!text) return fail(text.error());
  return auth::key_set::parse(*text);
}

}  // namespace trunkline::identity
