#include "k8s/api_client.h"

#include <algorithm>
#include <cstring>
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

std::shared_ptr<const void> api_client::watch(collection of, std::shared_ptr<object_sink> sink) {
  {
    std::lock_guard lock(start_mutex_);
    if (!thread_.joinable()) thread_ = runtime::owned_thread("kubernetes", [this] { serve(); });
  }
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

void api_client::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  exchanges_.wake();
  std::lock_guard lock(start_mutex_);
  thread_.join();
  watchers_.clear();
  (void)do_commands();  // tickets that were dropped since
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
  }
}

}  // namespace trunkline::k8s
