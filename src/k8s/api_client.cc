#include "k8s/api_client.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <utility>

#include "runtime/random.h"

namespace trunkline::k8s {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long a turn waits at most: the clock of what has worked for a while.
constexpr milliseconds turn_most{1'000};

double chance() {
  const auto bytes = runtime::random_bytes<4>();
  std::uint32_t number = 0;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number / 4'294'967'296.0;
}

}  // namespace

/// One collection and the exchange that it has under way.
class api_client::watcher final : public http::exchange_listener {
 public:
  watcher(collection of, std::shared_ptr<object_sink> sink, const void* ticket)
      : ticket_(ticket), sink_(std::move(sink)), machine_(std::move(of), *sink_) {}

  const void* ticket() const { return ticket_; }
  bool is_due(moment now) const { return exchange_ == nullptr && now >= due_; }
  moment due() const { return exchange_ == nullptr ? due_ : moment::max(); }
  void tick(moment now) { machine_.tick(now); }

  void begin(http::exchanges& in, const config::kubernetes_access& how, const environment& from, moment now) {
    auto access = read_access(how, from);
    if (!access) {
      due_ = now + machine_.give_up(access.error().message, chance());
      return;
    }
    const auto question = machine_.ask(now, chance());
    exchange_ = in.begin({.url = access->server + question.target,
                          .headers = {"Accept: application/json"},
                          .bearer = std::move(access->token),
                          .tls = std::move(access->tls),
                          .connect_timeout = limits::k8s_connect_timeout,
                          .timeout = question.timeout},
                         *this);
    if (exchange_ == nullptr) due_ = now + machine_.give_up("libcurl cannot be used", chance());
  }
  /// At another API server.
  void begin_anew() {
    exchange_.reset();
    machine_.forget();
    due_ = {};
  }

  bool take(long status, std::string_view bytes) override {
    return machine_.take(status, bytes, steady_clock::now());
  }
  void ended(const http::exchange_end& how) override {
    const moment now = steady_clock::now();
    due_ = now + machine_.over(how, now, chance());
    exchange_.reset();
  }

 private:
  const void* const ticket_;
  const std::shared_ptr<object_sink> sink_;
  collection_watch machine_;
  http::exchanges::handle exchange_;
  moment due_{};
};

/// One question and its answer.
class api_client::errand final : public http::exchange_listener {
 public:
  explicit errand(api_reply told) : told_(std::move(told)) {}

  /// False: it is over already.
  bool begin(http::exchanges& in, const api_access& access, const api_question& what) {
    http::exchange_request asked{.url = access.server + what.target,
                                 .method = what.method,
                                 .headers = {"Accept: application/json"},
                                 .bearer = access.token,
                                 .tls = access.tls,
                                 .connect_timeout = limits::k8s_connect_timeout,
                                 .timeout = what.timeout};
    if (!what.body.is_null()) {
      asked.body = what.body.dump(-1, ' ', false, json::error_handler_t::replace);
      asked.headers.push_back("Content-Type: " + what.type);
    }
    exchange_ = in.begin(std::move(asked), *this);
    if (exchange_ == nullptr) fail("libcurl cannot be used");
    return exchange_ != nullptr;
  }
  void fail(std::string why) { tell({.problem = std::move(why)}); }
  bool is_over() const { return over_; }

  bool take(long, std::string_view bytes) override {
    if (received_.size() + bytes.size() > limits::k8s_answer_bytes) return false;
    received_ += bytes;
    return true;
  }
  void ended(const http::exchange_end& how) override {
    api_answer made{.status = how.status, .retry_after = how.retry_after};
    if (how.date != 0) made.server_time = std::chrono::system_clock::from_time_t(how.date);
    made.problem = problem_of(how);
    if (how.failure.empty()) made.body = json::parse(received_, nullptr, false);
    if (made.ok() && made.body.is_discarded()) made.problem = "what the API server answers is no JSON";
    if (made.body.is_discarded()) made.body = nullptr;
    tell(std::move(made));
  }

 private:
  std::string problem_of(const http::exchange_end& how) const {
    if (!how.failure.empty()) return "the API server: " + how.failure;
    if (how.status >= 200 && how.status < 300) return "";
    const std::string said = status_message(received_);
    return "the API server answers " + std::to_string(how.status) + (said.empty() ? "" : ": " + said);
  }
  void tell(api_answer what) {
    over_ = true;
    told_(std::move(what));
  }

  api_reply told_;
  std::string received_;
  http::exchanges::handle exchange_;
  bool over_ = false;
};

api_client::api_client(environment from) : from_(std::move(from)) {}

api_client::~api_client() {
  stop();
}

void api_client::post(command what) {
  {
    std::lock_guard lock(mutex_);
    commands_.push_back(std::move(what));
  }
  exchanges_.wake();
}

void api_client::configure(config::kubernetes_access how) {
  post([this, how = std::move(how)]() mutable {
    if (how == how_) return;
    how_ = std::move(how);
    for (const auto& each : watchers_)
      each->begin_anew();
  });
}

void api_client::start_thread() {
  std::lock_guard lock(start_mutex_);
  {
    std::lock_guard also(mutex_);
    if (stopping_) return;
  }
  if (!thread_.joinable()) thread_ = runtime::owned_thread("kubernetes", [this] { serve(); });
}

std::shared_ptr<const void> api_client::watch(collection of, std::shared_ptr<object_sink> sink) {
  start_thread();
  // Its address is the watch's name; what it holds, nobody reads.
  auto ticket = std::shared_ptr<const char>(new char(0), [this](const char* mine) {
    post([this, mine] {
      std::erase_if(watchers_, [mine](const auto& each) { return each->ticket() == mine; });
      delete mine;
    });
  });
  post([this, of = std::move(of), sink = std::move(sink), mine = ticket.get()]() mutable {
    watchers_.push_back(std::make_unique<watcher>(std::move(of), std::move(sink), mine));
  });
  return ticket;
}

void api_client::ask(api_question what, api_reply told) {
  {
    std::lock_guard lock(mutex_);
    if (!stopping_) {
      commands_.push_back([this, what = std::move(what), told = std::move(told)]() mutable {
        begin(std::move(what), std::move(told));
      });
    }
  }
  if (told) return told({.problem = "the gateway stops"});
  start_thread();
  exchanges_.wake();
}

api_answer api_client::ask_and_wait(api_question what) {
  auto answered = std::make_shared<std::promise<api_answer>>();
  auto answer = answered->get_future();
  ask(std::move(what), [answered](api_answer got) { answered->set_value(std::move(got)); });
  return answer.get();
}

void api_client::begin(api_question what, api_reply told) {
  auto made = std::make_unique<errand>(std::move(told));
  if (errands_.size() >= limits::k8s_asks) return made->fail("too many questions wait for the API server");
  auto access = read_access(how_, from_);
  if (!access) return made->fail(access.error().message);
  if (made->begin(exchanges_, *access, what)) errands_.push_back(std::move(made));
}

void api_client::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  exchanges_.wake();
  std::lock_guard lock(start_mutex_);
  thread_.join();
  watchers_.clear();
  for (const auto& each : std::exchange(errands_, {}))
    each->fail("the gateway stops");
  (void)do_commands();  // tickets that were dropped since, and questions
  for (const auto& each : std::exchange(errands_, {}))
    each->fail("the gateway stops");
}

/// False: it is over.
bool api_client::do_commands() {
  std::vector<command> now;
  bool over = false;
  {
    std::lock_guard lock(mutex_);
    now.swap(commands_);
    over = stopping_;
  }
  for (auto& each : now)
    each();
  return !over;
}

moment api_client::begin_what_is_due(moment now) {
  moment next = now + turn_most;
  for (const auto& each : watchers_) {
    each->tick(now);
    if (each->is_due(now)) each->begin(exchanges_, how_, from_, now);
    next = std::min(next, each->due());
  }
  return next;
}

void api_client::serve() {
  while (do_commands()) {
    const moment now = steady_clock::now();
    const moment next = begin_what_is_due(now);
    exchanges_.turn(std::chrono::ceil<milliseconds>(std::max(next - now, steady_clock::duration(0))));
    std::erase_if(errands_, [](const auto& each) { return each->is_over(); });
  }
}

}  // namespace trunkline::k8s
