#include "identity/authorizer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "auth/access_review.h"
#include "base/limits_kubernetes.h"
#include "identity/files.h"
#include "identity/joined.h"

namespace trunkline::identity {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr milliseconds sweep_every{500};

/// All that a question says of the user, and the route: other texts for other ones.
std::string text_of(const auth::identity& who, const config::rbac_object& route) {
  std::string made =
      joined({who.principal, who.uid, route.name_space, route.name, std::to_string(route.grace.count())}) +
      joined(who.groups);
  for (const auto& [key, values] : who.extra)
    if (auth::is_of_the_user(key)) made += joined({key}) + joined(values);
  return made;
}

milliseconds until(moment when, moment now) {
  return std::max(std::chrono::ceil<milliseconds>(when - now), milliseconds(0));
}

}  // namespace

/// The question about one verb.
class authorizer::part final : public http::exchange_listener {
 public:
  void begin(http::exchanges& in, http::exchange_request what) {
    exchange_ = in.begin(std::move(what), *this);
    if (exchange_ == nullptr) answer_ = trunkline::fail({.message = "libcurl cannot be used"});
  }
  void fail(const error& why) { answer_ = trunkline::fail(why); }
  bool is_over() const { return answer_.has_value(); }
  const result<auth::access_verdict>& answer() const { return *answer_; }

  bool take(long, std::string_view bytes) override {
    if (received_.size() + bytes.size() > limits::rbac_answer_bytes) return false;
    received_ += bytes;
    return true;
  }
  void ended(const http::exchange_end& how) override {
    if (!how.failure.empty()) {
      answer_ = trunkline::fail({.message = "the API server: " + how.failure});
    } else if (how.status != 200 && how.status != 201) {  // 201 Created is what a create is answered with
      answer_ = trunkline::fail({.message = "the API server answers " + std::to_string(how.status)});
    } else {
      answer_ = auth::read_access_review(received_);
    }
  }

 private:
  std::optional<result<auth::access_verdict>> answer_;
  std::string received_;
  http::exchanges::handle exchange_;
};

/// The questions about a case: all verbs at once.
class authorizer::review {
 public:
  review(shared_case which, bool again) : of(std::move(which)), again_(again) {}

  void begin(http::exchanges& in, const http::exchange_request& like) {
    constexpr std::array<std::string_view, 3> verbs{"connect", "write", "admin"};
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      auto what = like;
      what.body = auth::access_review_body(of->who(), verbs[i], {of->route().name_space, of->route().name});
      parts_[i].begin(in, std::move(what));
    }
  }
  void fail(const error& why) {
    for (part& each : parts_)
      each.fail(why);
  }
  bool is_again() const { return again_; }
  bool is_over() const {
    return std::all_of(parts_.begin(), parts_.end(), [](const part& each) { return each.is_over(); });
  }
  /// Precondition: it is over. Who may not connect is out, whatever the other answers are.
  result<rbac_verdict> verdict() const {
    const auto& [connect, write, admin] = parts_;
    if (connect.answer() && !connect.answer()->allowed)
      return rbac_verdict{.reason = connect.answer()->reason};
    for (const part& each : parts_)
      if (!each.answer()) return trunkline::fail(each.answer().error());
    if (admin.answer()->allowed) return rbac_verdict{.level = config::access_level::admin};
    if (write.answer()->allowed) return rbac_verdict{.level = config::access_level::write};
    return rbac_verdict{.level = config::access_level::read};
  }

  const shared_case of;

 private:
  const bool again_;
  std::array<part, 3> parts_;
};

std::size_t authorizer::digest_hash::operator()(const auth::digest& name) const {
  std::size_t made = 0;
  std::memcpy(&made, name.data(), sizeof made);
  return made;
}

authorizer::authorizer(const config::kubernetes_auth& of, review_counts& counts, telemetry::logger& log)
    : url_(api_url(of.api_server, "/apis/authorization.k8s.io/v1/subjectaccessreviews")),
      token_file_(of.token_file),
      ca_file_(of.ca_file),
      counts_(counts),
      log_(log) {}

authorizer::~authorizer() {
  stop();
}

void authorizer::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  exchanges_.wake();
  thread_.join();
}

std::unique_ptr<access_hold> authorizer::hold(const auth::identity& who, const config::rbac_object& route) {
  const auto name = auth::sha256({as_bytes(text_of(who, route))});
  std::lock_guard lock(mutex_);
  auto found = cases_.find(name);
  if (found == cases_.end()) {
    if (cases_.size() >= limits::rbac_cases) forget_old(steady_clock::now());
    if (cases_.size() >= limits::rbac_cases) return nullptr;
    found = cases_.emplace(name, std::make_shared<access_case>(who, route)).first;
  }
  // While the map is locked: or it would be forgotten before it is held.
  return std::make_unique<access_hold>(found->second);
}

bool authorizer::ask(const std::shared_ptr<access_case>& which, runtime::remote_wake::caller told) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || urgent_.size() >= limits::rbac_reviews_waiting) return false;
    if (which->want(steady_clock::now(), std::move(told))) urgent_.push_back(which);
    if (!thread_.joinable()) thread_ = runtime::owned_thread("authorization", [this] { serve(); });
  }
  exchanges_.wake();
  return true;
}

/// Under the mutex.
void authorizer::forget_old(moment now) {
  std::erase_if(cases_, [now](const auto& each) { return each.second->is_over(now); });
}

void authorizer::begin(shared_case which, bool again, moment now) {
  std::optional<moment> waited;
  if (!which->begin(now, waited)) return;
  auto made = std::make_unique<review>(std::move(which), again);
  const auto deadline = waited.value_or(now) + limits::rbac_review_timeout;
  auto token = read_token_file(token_file_);
  auto authorities = ca_file_.empty() ? result<secret_text>(secret_text())
                                      : read_text_file(ca_file_, limits::k8s_file_bytes);
  if (deadline <= now) {
    made->fail({.message = "too many questions wait for the API server"});
  } else if (!token) {
    made->fail(token.error());
  } else if (!authorities) {
    made->fail(authorities.error());
  } else {
    made->begin(exchanges_, {.url = url_,
                             .method = "POST",
                             .headers = {"Content-Type: application/json", "Accept: application/json"},
                             .bearer = std::move(*token),
                             .tls = {.authorities = authorities->reveal()},
                             .connect_timeout = limits::rbac_review_timeout,
                             .timeout = limits::rbac_review_timeout});
  }
  reviews_.push_back(std::move(made));
}

/// True: something is over already.
bool authorizer::begin_what_waits(moment now) {
  while (reviews_.size() < limits::rbac_reviews) {
    shared_case next;
    {
      std::lock_guard lock(mutex_);
      if (urgent_.empty()) break;
      next = std::move(urgent_.front());
      urgent_.pop_front();
    }
    begin(std::move(next), false, now);
  }
  // An API server that fails is not pressed: one at a time shows when that is over.
  const std::size_t most = failing_ ? 1 : limits::rbac_reviews_again;
  const auto is_again = [](const auto& each) { return each->is_again(); };
  auto running = static_cast<std::size_t>(std::count_if(reviews_.begin(), reviews_.end(), is_again));
  for (; running < most && reviews_.size() < limits::rbac_reviews && !again_.empty(); again_.pop_front()) {
    const auto before = reviews_.size();
    begin(std::move(again_.front()), true, now);
    running += reviews_.size() - before;
  }
  return std::any_of(reviews_.begin(), reviews_.end(), [](const auto& each) { return each->is_over(); });
}

void authorizer::sweep(moment now) {
  swept_ = now;
  std::vector<shared_case> all;
  {
    std::lock_guard lock(mutex_);
    forget_old(now);
    all.reserve(cases_.size());
    for (const auto& [name, each] : cases_)
      all.push_back(each);
  }
  for (const shared_case& each : all) {
    each->note_silence(now);
    if (each->want_again(now)) again_.push_back(each);
  }
}

void authorizer::note_failure(const std::string& problem, moment now) {
  counts_.failed.fetch_add(1, std::memory_order_relaxed);
  failed_at_ = now;
  if (!std::exchange(failing_, true))
    log_.write(telemetry::log_level::warning, "authorization.failed", problem,
               {{"url", std::string_view(url_)}});
}

/// It is over when it has worked for a while: not after each good answer among bad ones.
void authorizer::note_success(moment now) {
  if (!failing_ || now - failed_at_ < limits::k8s_watch_worked) return;
  failing_ = false;
  log_.write(telemetry::log_level::info, "authorization.ok", "", {{"url", std::string_view(url_)}});
}

void authorizer::conclude(review& which) {
  const moment now = steady_clock::now();
  auto verdict = which.verdict();
  if (!verdict) {
    note_failure(verdict.error().message, now);
    return which.of->fail(std::move(verdict.error().message));
  }
  auto& count = verdict->level ? counts_.allowed : counts_.denied;
  count.fetch_add(1, std::memory_order_relaxed);
  note_success(now);
  which.of->answer(std::move(*verdict), now);
}

void authorizer::serve() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) break;
    }
    const moment now = steady_clock::now();
    if (now - swept_ >= sweep_every) sweep(now);
    const bool some = begin_what_waits(now);
    exchanges_.turn(some ? milliseconds(0) : until(swept_ + sweep_every, now));
    for (const auto& each : reviews_)
      if (each->is_over()) conclude(*each);
    std::erase_if(reviews_, [](const auto& each) { return each->is_over(); });
  }
  reviews_.clear();
}

}  // namespace trunkline::identity
