#include "admin/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "base/limits.h"
#include "net/socket_address.h"
#include "runtime/owned_thread.h"

namespace trunkline::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

/// "/here", "/brief", "/patient" say so; "/held" waits, on the patient thread, until the gate opens.
class fake_site final : public site {
 public:
  lane lane_of(const http_request& request) const override {
    if (request.path == "/here") return lane::here;
    return request.path == "/brief" ? lane::brief : lane::patient;
  }
  http_response answer(const http_request& request) override {
    if (request.path == "/held") {
      ++held;
      while (!open)
        open.wait(false);
    }
    if (request.path == "/large") return {.content_type = "text/plain", .body = std::string(8 << 20, 'x')};
    return {.content_type = "text/plain", .body = request.path};
  }
  void tick() override { ++ticks; }

  void open_gate() {
    open = true;
    open.notify_all();
  }

  std::atomic<int> held = 0;
  std::atomic<int> ticks = 0;
  std::atomic<bool> open = false;
};

class client {
 public:
  explicit client(const config::address& where) {
    const auto to = where.is_unix() ? net::socket_address::unix_path(where.path)
                                    : net::socket_address::ip(where.host, where.port);
    fd_ = runtime::unique_fd(::socket(to->family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd_.get(), to->get(), to->length()), 0);
    const timeval patience{20, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool send(std::string_view text) {
    return ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  }
  /// Everything up to the end; "(cut)" at its end where that was a reset.
  std::string rest() {
    std::string all;
    std::array<char, 65'536> part;
    for (;;) {
      const auto got = ::recv(fd_.get(), part.data(), part.size(), 0);
      if (got < 0) return all + "(cut)";
      if (got == 0) return all;
      all.append(part.data(), static_cast<std::size_t>(got));
    }
  }
  std::string get(const std::string& path, const std::string& host = "localhost") {
    send("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    return rest();
  }
  bool is_closed() {
    pollfd watched{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return ::poll(&watched, 1, 0) == 1;
  }

 private:
  runtime::unique_fd fd_;
};

class HttpServer : public testing::Test {
 protected:
  HttpServer() { where_ = listen({.host = "127.0.0.1", .port = 0, .path = ""}); }
  ~HttpServer() override { shown_.open_gate(); }

  config::address listen(const config::address& at) {
    auto opened = open_admin(at);
    EXPECT_TRUE(opened) << opened.error().message;
    const auto where = opened->address;
    server_.listen(std::move(*opened));
    return where;
  }
  template <class Condition>
  static bool comes(Condition condition) {
    const auto until = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      ::poll(nullptr, 0, 5);
    }
    return true;
  }

  fake_site shown_;
  http_server server_{shown_};
  config::address where_;
};

TEST_F(HttpServer, AnswersOnEveryLane) {
  for (const char* path : {"/here", "/brief", "/patient"}) {
    const auto got = client(where_).get(path);
    EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(got, testing::EndsWith(std::string("\r\n\r\n") + path));
  }
  EXPECT_TRUE(comes([&] { return shown_.ticks > 0; }));
}

TEST_F(HttpServer, ALargeAnswerComesWhole) {
  EXPECT_GT(client(where_).get("/large").size(), 8U << 20);
}

TEST_F(HttpServer, AClientThatHasFinishedSendingIsAnswered) {
  client from(where_);
  from.send("GET /brief HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(from.rest(), HasSubstr("/brief"));
  client byte_by_byte(where_);
  for (const char c : std::string("GET /here HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    byte_by_byte.send(std::string_view(&c, 1));
  EXPECT_THAT(byte_by_byte.rest(), HasSubstr("/here"));
}

TEST_F(HttpServer, RefusesWhatIsNoRequestOrOfAnotherName) {
  client junk(where_);
  junk.send("\x16\x03\x01 tls");
  EXPECT_THAT(junk.rest(), StartsWith("HTTP/1.1 400 "));
  client long_one(where_);
  long_one.send("GET /" + std::string(limits::admin_request_bytes, 'a'));
  EXPECT_THAT(long_one.rest(), StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(client(where_).get("/here", "evil.example"), StartsWith("HTTP/1.1 421 "));
}

TEST_F(HttpServer, SlowClientsKeepNobodyOut) {
  std::vector<client> slow;
  for (std::size_t i = 0; i < limits::admin_connections + 5; ++i) {
    slow.emplace_back(where_);
    slow.back().send("GET /here HT");
  }
  EXPECT_THAT(client(where_).get("/here"), HasSubstr("200 OK"));
  EXPECT_TRUE(comes([&] { return slow.front().is_closed(); })) << "the oldest made room";
  EXPECT_FALSE(slow.back().is_closed());
}

TEST_F(HttpServer, ARequestThatDoesNotArriveInTimeIsRefused) {
  client slow(where_);
  client silent(where_);
  slow.send("GET /here HTTP/1.1\r\n");
  EXPECT_THAT(slow.rest(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(silent.rest(), "");
}

TEST_F(HttpServer, AnswersThatWaitDoNotHoldUpTheOthers) {
  std::vector<client> waiting;
  for (std::size_t i = 0; i < limits::admin_waiting_requests + 1; ++i) {
    waiting.emplace_back(where_);
    waiting.back().send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n");
    if (i == 0) {
      ASSERT_TRUE(comes([&] { return shown_.held == 1; }));
    }
  }
  EXPECT_THAT(client(where_).get("/brief"), HasSubstr("200 OK"));
  const auto refused = client(where_).get("/held");
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refused, HasSubstr("Retry-After: "));
  waiting.erase(waiting.begin() + 1);  // nobody waits for this one any more
  shown_.open_gate();
  for (auto& each : waiting)
    EXPECT_THAT(each.rest(), HasSubstr("/held"));
}

TEST_F(HttpServer, MovesToAnotherAddress) {
  const std::string path = testing::TempDir() + "/trunkline-admin-test.sock";
  const auto next = listen({.host = "", .port = 0, .path = path});
  EXPECT_TRUE(
      comes([&] { return client(next).get("/here", "any.name").find("200 OK") != std::string::npos; }));
  const auto old = net::socket_address::ip(where_.host, where_.port);
  EXPECT_TRUE(comes([&] {
    const runtime::unique_fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(probe.get(), old->get(), old->length()) != 0;
  }));
  listen({.host = "127.0.0.1", .port = 0, .path = ""});
  EXPECT_TRUE(comes([&] { return ::access(path.c_str(), F_OK) != 0; }))
      << "the socket file goes with the socket";
}

TEST_F(HttpServer, EndsWhileClientsAreConnected) {
  fake_site other;
  auto server = std::make_unique<http_server>(other);
  auto opened = open_admin({.host = "127.0.0.1", .port = 0, .path = ""});
  const auto at = opened->address;
  server->listen(std::move(*opened));
  client asking(at);
  client held(at);
  held.send("GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(comes([&] { return other.held == 1; }));
  runtime::owned_thread gate("gate", [&] {
    comes([&] { return asking.is_closed(); });
    other.open_gate();
  });
  server.reset();
  EXPECT_TRUE(asking.is_closed());
}

TEST(OpenAdmin, SaysWhatIsWrong) {
  const auto first = open_admin({.host = "127.0.0.1", .port = 0, .path = ""});
  ASSERT_TRUE(first);
  const auto second = open_admin(first->address);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, StartsWith("admin: cannot bind 127.0.0.1:"));
}

}  // namespace
}  // namespace trunkline::admin
