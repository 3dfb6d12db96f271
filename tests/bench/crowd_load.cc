// Point reads of many clients at a time, where pgbench, which walks all of its clients for each answer, would
// itself be the wall. Each client has one statement under way, and sends the next when it has the answer.
// Prints one line of JSON: transactions, latencies, and the Unix times between which they were counted.
//
// Logins come first, from several threads, and are not counted; no more begin after PATIENCE seconds. Then
// each client has one answer, which opens the connections of a pool and tells how long a turn of all clients
// takes: so long the load runs before anything counts, and the window holds at least four turns. A
// transaction counts for the throughput when it ends inside the window, and for the latencies when it begins
// there: what is under way at the end is waited for, so that a client who is left to starve shows.
//
// Usage: crowd_load --port P --clients N --seconds S [--protocol simple|extended|prepared]
//                   [--patience SECONDS] [--user U] [--password P] [--database D]

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "load_session.h"

namespace {

using namespace std::string_view_literals;
using steady = std::chrono::steady_clock;
using trunkline::bench::load_session;
using trunkline::bench::login_plan;

constexpr std::size_t login_threads = 8;
constexpr std::size_t load_threads = 2;
constexpr std::chrono::milliseconds least_warm_up{300};
constexpr int least_turns = 4;
constexpr std::chrono::seconds last_answers{10};
constexpr unsigned accounts = 1'000'000;  // pgbench at scale 10

enum class protocol { simple, extended, prepared };

struct settings {
  login_plan plan;
  std::size_t clients = 50;
  double seconds = 3;
  double patience = 60;
  protocol how = protocol::simple;
};

struct window {
  steady::time_point begin;
  steady::time_point end;
  bool holds(steady::time_point at) const { return at >= begin && at < end; }
};

struct client {
  std::unique_ptr<load_session> session;
  std::string input;  ///< of an answer that has not ended yet
  steady::time_point sent;
  bool waiting = false;
};

struct tally {
  std::vector<double> seconds;
  std::size_t finished = 0;
  std::size_t failed = 0;
  std::string why;
};

steady::duration seconds_of(double count) {
  return std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(count));
}

std::string message(char type, std::string_view body) {
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(body.size() + 4));
  std::string made(1, type);
  made.append(reinterpret_cast<const char*>(&length), sizeof length);
  return made.append(body);
}

/// Parse of the point read, with its one parameter's type left to the server.
std::string parse(std::string_view name) {
  std::string body(name);
  body += "\0SELECT abalance FROM pgbench_accounts WHERE aid = $1\0\0\0"sv;
  return message('P', body);
}

/// One transaction, in the messages that libpq would send.
std::string transaction(protocol how, unsigned account) {
  const std::string number = std::to_string(account);
  if (how == protocol::simple) {
    std::string text = "SELECT abalance FROM pgbench_accounts WHERE aid = " + number;
    text.push_back('\0');
    return message('Q', text);
  }
  const std::string_view name = how == protocol::prepared ? "point"sv : ""sv;
  const std::uint32_t length = htonl(static_cast<std::uint32_t>(number.size()));
  std::string bind(1, '\0');  // the unnamed portal
  bind += name;
  bind += "\0\0\0\0\1"sv;  // the end of the name, no format codes, one value
  bind.append(reinterpret_cast<const char*>(&length), sizeof length);
  bind += number;
  bind += "\0\0"sv;  // results as text
  return (how == protocol::extended ? parse(""sv) : std::string()) + message('B', bind) +
         message('D', "P\0"sv) + message('E', "\0\0\0\0\0"sv) + message('S', ""sv);
}

/// Logs in until `count` are taken, one fails, or time is up; several threads share the counter.
void open_some(settings& with, steady::time_point until, std::atomic<std::size_t>& taken,
               std::vector<client>& open, std::string& why) {
  while (taken.fetch_add(1) < with.clients) {
    if (steady::now() > until) {
      why = "time for logins is up";
      return;
    }
    client one{.session = std::make_unique<load_session>(with.plan), .input = {}, .sent = {}};
    const bool ready =
        one.session->login(nullptr) &&
        (with.how != protocol::prepared || one.session->exchange(parse("point") + message('S', "")));
    if (!ready) {
      why = one.session->why();
      return;
    }
    open.push_back(std::move(one));
  }
}

/// The clients of one thread.
class crowd {
 public:
  crowd(protocol how, std::vector<client>& members, window counted, tally& sum)
      : how_(how), members_(&members), counted_(counted), sum_(&sum), epoll_(epoll_create1(EPOLL_CLOEXEC)) {}
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd() { close(epoll_); }

  /// How many clients have no answer yet when patience ends.
  std::size_t run() {
    for (client& one : *members_) {
      epoll_event interest{.events = EPOLLIN, .data = {.ptr = &one}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, one.session->fd(), &interest);
      begin(one);
    }
    std::array<epoll_event, 256> events;
    while (waiting_ > 0 && steady::now() < counted_.end + last_answers) {
      const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 100);
      for (int i = 0; i < count; ++i)
        receive(*static_cast<client*>(events[static_cast<std::size_t>(i)].data.ptr));
    }
    for (const client& one : *members_) {
      if (one.waiting && counted_.holds(one.sent)) take_latency(one, steady::now());
    }
    return waiting_;
  }

 private:
  void begin(client& one) {
    const std::string bytes = transaction(how_, 1 + random_() % accounts);
    one.sent = steady::now();
    one.waiting = true;
    ++waiting_;
    if (send(one.session->fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size()))
      drop(one, "a statement could not be sent");
  }

  void receive(client& one) {
    const ssize_t got = recv(one.session->fd(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return drop(one, "the peer left");
    one.input.append(buffer_.data(), static_cast<std::size_t>(got));
    std::size_t at = 0;
    while (at + 5 <= one.input.size()) {
      std::uint32_t length = 0;
      std::memcpy(&length, one.input.data() + at + 1, sizeof length);
      const char type = one.input[at];
      const std::size_t end = at + 1 + ntohl(length);
      if (type == 'E') return drop(one, "error: " + one.input.substr(at));
      if (end > one.input.size()) break;
      at = end;
      if (type == 'Z') finish(one);
    }
    one.input.erase(0, at);
  }

  void finish(client& one) {
    const auto now = steady::now();
    one.waiting = false;
    --waiting_;
    sum_->finished += counted_.holds(now) ? 1 : 0;
    if (counted_.holds(one.sent)) take_latency(one, now);
    if (now < counted_.end) begin(one);
  }

  void take_latency(const client& one, steady::time_point now) {
    sum_->seconds.push_back(std::chrono::duration<double>(now - one.sent).count());
  }

  void drop(client& one, std::string why) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, one.session->fd(), nullptr);
    waiting_ -= one.waiting ? 1 : 0;
    one.waiting = false;
    ++sum_->failed;
    sum_->why = std::move(why);
  }

  const protocol how_;
  std::vector<client>* members_;
  const window counted_;
  tally* sum_;
  const int epoll_;
  std::size_t waiting_ = 0;
  std::minstd_rand random_{std::random_device()()};
  std::array<char, 16 * 1024> buffer_;
};

void print(const std::vector<tally>& tallies, std::size_t clients, double begin, double elapsed) {
  tally all;
  for (const tally& one : tallies) {
    all.seconds.insert(all.seconds.end(), one.seconds.begin(), one.seconds.end());
    all.finished += one.finished;
    all.failed += one.failed;
    if (!one.why.empty()) all.why = one.why;
  }
  std::sort(all.seconds.begin(), all.seconds.end());
  const std::size_t count = all.seconds.size();
  double total = 0;
  for (const double each : all.seconds)
    total += each;
  const auto quantile = [&](std::size_t thousandths) {
    return count == 0 ? 0 : all.seconds[std::min(count - 1, count * thousandths / 1000)];
  };
  for (char& c : all.why)
    c = c < ' ' || c > '~' || c == '"' || c == '\\' ? ' ' : c;
  std::printf("{\"clients\": %zu, \"transactions\": %zu, \"failed\": %zu, \"begin\": %.6f, \"end\": %.6f, ",
              clients, all.finished, all.failed, begin, begin + elapsed);
  std::printf(
      "\"mean\": %.6f, \"p50\": %.6f, \"p99\": %.6f, \"p999\": %.6f, \"max\": %.6f, \"why\": \"%s\"}\n",
      count == 0 ? 0 : total / static_cast<double>(count), quantile(500), quantile(990), quantile(999),
      count == 0 ? 0 : all.seconds.back(), all.why.c_str());
}

bool understand(int argc, char** argv, settings& with) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (name == "--port") with.plan.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--clients") with.clients = static_cast<std::size_t>(std::atoi(value));
    if (name == "--seconds") with.seconds = std::atof(value);
    if (name == "--patience") with.patience = std::atof(value);
    if (name == "--protocol")
      with.how = value == "prepared"sv   ? protocol::prepared
                 : value == "extended"sv ? protocol::extended
                                         : protocol::simple;
    if (name == "--user") with.plan.user = value;
    if (name == "--password") with.plan.password = value;
    if (name == "--database") with.plan.database = value;
  }
  return with.plan.port != 0 && with.clients != 0;
}

/// The clients, dealt to the threads that will run them; fewer than asked for when logins failed.
std::vector<std::vector<client>> log_in(settings& with, std::string& why) {
  std::atomic<std::size_t> taken = 0;
  std::vector<std::vector<client>> open(login_threads);
  std::vector<std::string> whys(login_threads);
  const auto until = steady::now() + seconds_of(with.patience);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < login_threads; ++i)
      threads.emplace_back([&, i] { open_some(with, until, taken, open[i], whys[i]); });
  }
  for (const std::string& one : whys) {
    if (!one.empty()) why = one;
  }
  std::vector<std::vector<client>> dealt(load_threads);
  std::size_t next = 0;
  for (std::vector<client>& some : open) {
    for (client& one : some)
      dealt[next++ % load_threads].push_back(std::move(one));
  }
  return dealt;
}

/// All threads to their end; how many clients were left without an answer.
std::size_t run_all(protocol how, std::vector<std::vector<client>>& crowds, window counted,
                    std::vector<tally>& tallies) {
  std::atomic<std::size_t> unanswered = 0;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < crowds.size(); ++i)
    threads.emplace_back([&, i] { unanswered += crowd(how, crowds[i], counted, tallies[i]).run(); });
  threads.clear();
  return unanswered;
}

}  // namespace

int main(int argc, char** argv) {
  settings with;
  if (!understand(argc, argv, with)) {
    std::fprintf(stderr, "usage: crowd_load --port P --clients N --seconds S [--protocol P]\n");
    return 2;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  std::vector<tally> tallies(load_threads);
  std::vector<std::vector<client>> crowds = log_in(with, tallies[0].why);
  std::size_t clients = 0;
  for (const auto& some : crowds)
    clients += some.size();
  if (clients < with.clients) {
    print(tallies, clients, 0, 0);
    return 1;
  }
  const auto first = steady::now();
  if (run_all(with.how, crowds, {.begin = first, .end = first}, tallies) > 0) {
    tallies[0].why = "clients without a first answer";
    print(tallies, 0, 0, 0);
    return 1;
  }
  const auto turn = steady::now() - first;
  const auto warm_up = std::max<steady::duration>(least_warm_up, turn);
  const auto length = std::max(seconds_of(with.seconds), least_turns * turn);
  const auto begin = steady::now() + warm_up;
  const std::chrono::duration<double> wall = std::chrono::system_clock::now().time_since_epoch() + warm_up;
  run_all(with.how, crowds, {.begin = begin, .end = begin + length}, tallies);
  print(tallies, clients, wall.count(), std::chrono::duration<double>(length).count());
  return 0;
}
