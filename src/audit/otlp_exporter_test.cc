// The exporter against a small HTTP server on a loopback port.
#include "audit/otlp_exporter.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace trunkline::audit {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using clock = std::chrono::steady_clock;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Answers each request with the next of `answers`, and with the last one for ever. No answers: it accepts
/// and is silent.
class collector {
 public:
  explicit collector(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(::listen(listening_, 8), 0);
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&at), &size);
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~collector() {
    stopping_ = true;
    thread_.join();
    ::close(listening_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1/traces"; }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::vector<json> bodies() {
    std::vector<json> all;
    for (const std::string& each : requests())
      all.push_back(json::parse(each.substr(each.find("\r\n\r\n") + 4)));
    return all;
  }
  std::vector<json> spans() {
    std::vector<json> all;
    for (const json& body : bodies())
      for (const json& each : body["resourceSpans"][0]["scopeSpans"][0]["spans"])
        all.push_back(each);
    return all;
  }
  /// Waits until so many requests have come.
  bool got(std::size_t count) {
    const auto until = clock::now() + 20s;
    while (clock::now() < until) {
      if (requests().size() >= count) return true;
      std::this_thread::yield();
    }
    return false;
  }

 private:
  void serve() {
    while (!stopping_) {
      if (!readable(listening_)) continue;
      const int peer = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      std::string held;
      while (!stopping_ && talk(peer, held)) {
      }
      ::close(peer);
    }
  }
  static bool readable(int socket) {
    pollfd what{socket, POLLIN, 0};
    return ::poll(&what, 1, 20) == 1;
  }
  bool talk(int peer, std::string& held) {
    if (!readable(peer)) return true;
    char part[65536];
    const auto count = ::recv(peer, part, sizeof part, 0);
    if (count <= 0) return false;
    held.append(part, static_cast<std::size_t>(count));
    const auto head = held.find("\r\n\r\n");
    if (head == std::string::npos) return true;
    const auto length = held.find("Content-Length: ");
    const std::size_t body = static_cast<std::size_t>(std::stoul(held.substr(length + 16)));
    if (held.size() < head + 4 + body) return true;
    std::string answer;
    {
      std::lock_guard lock(mutex_);
      requests_.push_back(std::exchange(held, {}));
      if (!answers_.empty()) answer = answers_[std::min(requests_.size(), answers_.size()) - 1];
    }
    ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    return true;
  }

  int listening_ = -1;
  std::uint16_t port_ = 0;
  std::vector<std::string> answers_;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

span_record span(std::string name = "SELECT app") {
  return {.trace_id = "4BF92F3577B34DA6A3CE929D0E0E4736",
          .parent_span_id = "00f067aa0ba902b7",
          .name = std::move(name),
          .start_unix_ns = 1'764'000'000'000'000'001,
          .end_unix_ns = 1'764'000'000'250'000'001,
          .attributes = {{"db.system.name", "postgresql"}, {"db.namespace", "app"}},
          .failed = false};
}

TEST(OtlpExporter, ASpanArrivesAsTheSpecificationWritesIt) {
  collector to({ok});
  otlp_exporter exporter(to.url());
  exporter.add(span());
  span_record failed = span("INSERT");
  failed.failed = true;
  failed.parent_span_id.clear();
  exporter.add(failed);
  ASSERT_TRUE(to.got(1));
  EXPECT_THAT(to.requests()[0], testing::StartsWith("POST /v1/traces HTTP/1.1\r\n"));
  EXPECT_THAT(to.requests()[0], testing::HasSubstr("Content-Type: application/json\r\n"));
  EXPECT_EQ(to.bodies()[0]["resourceSpans"][0]["resource"]["attributes"],
            json::parse(R"([{"key":"service.name","value":{"stringValue":"trunkline"}}])"));
  const auto spans = to.spans();
  ASSERT_EQ(spans.size(), 2u);
  json first = spans[0];
  EXPECT_THAT(first["spanId"].get<std::string>(), testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_EQ(first["spanId"].get<std::string>().size(), 16u);
  first.erase("spanId");
  EXPECT_EQ(first,
            json::parse(R"({"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","parentSpanId":"00f067aa0ba902b7",
    "name":"SELECT app","kind":3,"startTimeUnixNano":"1764000000000000001","endTimeUnixNano":"1764000000250000001",
    "attributes":[{"key":"db.system.name","value":{"stringValue":"postgresql"}},
                  {"key":"db.namespace","value":{"stringValue":"app"}}],"status":{}})"));
  EXPECT_EQ(spans[1]["status"], json::parse(R"({"code":2})"));
  EXPECT_FALSE(spans[1].contains("parentSpanId"));
  EXPECT_EQ(exporter.dropped(), 0u);
}

TEST(OtlpExporter, ManySpansGoInBatches) {
  collector to({ok});
  otlp_exporter exporter(to.url());
  for (std::size_t i = 0; i < limits::otlp_batch_spans + 88; ++i)
    exporter.add(span());
  ASSERT_TRUE(to.got(2));
  EXPECT_EQ(to.spans().size(), limits::otlp_batch_spans + 88);
  for (const json& body : to.bodies())
    EXPECT_LE(body["resourceSpans"][0]["scopeSpans"][0]["spans"].size(), limits::otlp_batch_spans);
}

TEST(OtlpExporter, ABusyCollectorIsAskedAgainAndGetsTheSameBatch) {
  collector to({"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
                "HTTP/1.1 429 Slow down\r\nContent-Length: 0\r\n\r\n", ok});
  otlp_exporter exporter(to.url());
  const auto began = clock::now();
  exporter.add(span());
  ASSERT_TRUE(to.got(3));
  EXPECT_GE(clock::now() - began, limits::otlp_retry * 3);
  const auto bodies = to.bodies();
  EXPECT_EQ(bodies[0], bodies[1]);
  EXPECT_EQ(bodies[0], bodies[2]);
  EXPECT_EQ(exporter.dropped(), 0u);
}

TEST(OtlpExporter, WhatTheCollectorRefusesIsCounted) {
  {
    collector to({"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n", ok});
    otlp_exporter exporter(to.url());
    exporter.add(span());
    ASSERT_TRUE(to.got(1));
    exporter.add(span("after"));
    ASSERT_TRUE(to.got(2));
    EXPECT_EQ(exporter.dropped(), 1u);
    EXPECT_EQ(to.spans()[1]["name"], "after");
  }
  const std::string partial = R"({"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}})";
  collector to(
      {"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(partial.size()) + "\r\n\r\n" + partial, ok});
  otlp_exporter exporter(to.url());
  for (int i = 0; i < 3; ++i)
    exporter.add(span());
  ASSERT_TRUE(to.got(1));
  exporter.add(span());
  ASSERT_TRUE(to.got(2));
  EXPECT_EQ(exporter.dropped(), 2u);
}

TEST(OtlpExporter, ASilentCollectorHoldsUpNobodyAndTheQueueIsBounded) {
  collector to({});
  const std::size_t many = limits::otlp_waiting_spans * 3;
  std::uint64_t dropped = 0;
  clock::time_point ending;
  {
    otlp_exporter exporter(to.url());
    exporter.add(span());
    ASSERT_TRUE(to.got(1));  // it waits for an answer that never comes
    const auto began = clock::now();
    for (std::size_t i = 0; i < many; ++i)
      exporter.add(span());
    EXPECT_LT(clock::now() - began, limits::otlp_timeout / 2);
    dropped = exporter.dropped();
    ending = clock::now();
  }
  EXPECT_EQ(dropped, many - limits::otlp_waiting_spans);
  EXPECT_LT(clock::now() - ending, limits::otlp_farewell + 5s);
}

TEST(OtlpExporter, WhatStillWaitsAtTheEndIsSent) {
  collector to({ok});
  {
    otlp_exporter exporter(to.url());
    exporter.add(span("last"));
  }
  ASSERT_EQ(to.spans().size(), 1u);
  EXPECT_EQ(to.spans()[0]["name"], "last");
}

TEST(OtlpExporter, NonsenseSpoilsNoBatch) {
  collector to({ok});
  otlp_exporter exporter(to.url());
  for (const char* id : {"", "12", "00000000000000000000000000000000", "zbf92f3577b34da6a3ce929d0e0e4736",
                         "4bf92f3577b34da6a3ce929d0e0e47361"}) {
    span_record bad = span();
    bad.trace_id = id;
    exporter.add(bad);
  }
  span_record bad = span();
  bad.parent_span_id = "0000000000000000";
  exporter.add(bad);
  span_record odd = span(std::string("a\0\xff\xfe\"\n", 6));
  odd.attributes.assign(1'000, {"key", std::string(100'000, 'x')});
  odd.end_unix_ns = 0;
  exporter.add(odd);
  ASSERT_TRUE(to.got(1));
  ASSERT_EQ(to.spans().size(), 1u);
  EXPECT_EQ(exporter.dropped(), 6u);
  const json told = to.spans()[0];
  EXPECT_EQ(told["endTimeUnixNano"], told["startTimeUnixNano"]);
  EXPECT_EQ(told["attributes"].size(), limits::otlp_attributes);
  EXPECT_EQ(told["attributes"][0]["value"]["stringValue"].get<std::string>().size(), limits::otlp_text_bytes);
}

TEST(OtlpExporter, NobodyListens) {
  std::string url;
  {
    collector gone({ok});
    url = gone.url();
  }
  const auto began = clock::now();
  {
    otlp_exporter exporter(url);
    exporter.add(span());
  }
  EXPECT_LT(clock::now() - began, limits::otlp_farewell + 5s);
}

}  // namespace
}  // namespace trunkline::audit
