#include "admin/http_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "admin/host_policy.h"
#include "base/limits.h"

namespace trunkline::admin {
namespace {

using state = http_reading::state;
using testing::HasSubstr;

http_reading read(std::string_view text) {
  return read_request(as_bytes(text));
}
int refusal_of(std::string_view text) {
  const auto got = read(text);
  return got.what == state::bad ? got.refusal.status : 0;
}

const std::string plain =
    "GET /api/v1/sessions?user=a%20b&route=x+y&empty= HTTP/1.1\r\nHost: localhost:9630\r\n"
    "ACCEPT: text/plain\r\nX-Other: 1\r\nContent-Length: 0\r\n\r\n";

TEST(HttpRequest, IsReadTheSameWhereverItIsCut) {
  for (std::size_t part = 0; part < plain.size(); ++part)
    EXPECT_EQ(read(plain.substr(0, part)).what, state::more) << part;
  const auto got = read(plain);
  ASSERT_EQ(got.what, state::request);
  EXPECT_EQ(got.request.path, "/api/v1/sessions");
  EXPECT_THAT(got.request.query,
              testing::ElementsAre(testing::Pair("user", "a b"), testing::Pair("route", "x y"),
                                   testing::Pair("empty", "")));
  EXPECT_EQ(got.request.host, "localhost:9630");
  EXPECT_EQ(got.request.accept, "text/plain");
  EXPECT_EQ(read(plain + "GET /second").request.path, "/api/v1/sessions");
}

TEST(HttpRequest, OnlyShows) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"})
    EXPECT_EQ(refusal_of(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n"), 405) << method;
  EXPECT_EQ(read("HEAD / HTTP/1.0\r\n\r\n").what, state::request);
}

TEST(HttpRequest, HasNoBody) {
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"), 413);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 413);
}

TEST(HttpRequest, IsStrict) {
  for (const char* text :
       {"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", "GET /%-1 HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02",
        "GET /?%zz HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n", "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\x01\r\n\r\n"}) {
    EXPECT_EQ(refusal_of(text), 400) << testing::PrintToString(std::string(text));
  }
  EXPECT_EQ(refusal_of("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(refusal_of("GET /" + std::string(limits::admin_request_bytes, 'a')), 431);
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 0; i < limits::admin_request_fields; ++i)
    many += "a: b\r\n";
  EXPECT_EQ(refusal_of(many + "\r\n"), 431);
}

RC_GTEST_PROP(HttpRequest, AnyBytesAreReadOrRefused, (const std::string& bytes)) {
  const auto got = read("GET /" + bytes + " HTTP/1.1\r\nHost: a\r\n\r\n");
  RC_ASSERT(got.what != state::more);
}

TEST(HttpRequest, OnlyRequestsForAccessHaveABody) {
  const std::string head = "POST /api/v1/access/requests HTTP/1.1\r\nHost: a\r\n";
  const auto got = read(head + "Authorization: bearer t0k\r\nContent-Length: 2\r\n\r\n{}");
  ASSERT_EQ(got.what, state::request);
  EXPECT_EQ(got.request.method, "POST");
  EXPECT_EQ(got.request.body, "{}");
  EXPECT_EQ(got.request.bearer.reveal(), "t0k");
  EXPECT_EQ(read(head + "Content-Length: 3\r\n\r\n{}").what, state::more);
  EXPECT_EQ(read(head + "Content-Length: 0\r\n\r\n").what, state::request);
  EXPECT_EQ(read(head + "\r\n{}").refusal.status, 411);
  EXPECT_EQ(read(head + "Content-Length: 9000\r\n\r\n{}").refusal.status, 413);
  EXPECT_EQ(read(head + "Content-Length: 18446744073709551615\r\n\r\n{}").refusal.status, 413);
  EXPECT_EQ(read(head + "Content-Length: -1\r\n\r\n{}").refusal.status, 400);
  EXPECT_EQ(read(head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}").refusal.status, 400);
  EXPECT_EQ(read(head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}").refusal.status, 413);
  EXPECT_EQ(read("POST /api/v1/sessions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").refusal.status,
            405);
  EXPECT_EQ(read("DELETE /api/v1/access/requests HTTP/1.1\r\nHost: a\r\n\r\n").refusal.status, 405);
}

TEST(HttpRequest, TwoAuthorizationsAreNone) {
  const std::string head = "GET /api/v1/access HTTP/1.1\r\nHost: a\r\n";
  EXPECT_EQ(read(head + "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n").refusal.status, 400);
  EXPECT_TRUE(read(head + "Authorization: Basic YTpi\r\n\r\n").request.bearer.empty());
}

TEST(HttpResponse, IsWholeAndForbidsWhatBrowsersMayDo) {
  const http_response made{.body = "{}", .fields = {{"Retry-After", "5"}}};
  const auto text = render_response(made, false);
  EXPECT_THAT(text, testing::StartsWith(
                        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"));
  EXPECT_THAT(text, testing::EndsWith("Connection: close\r\n\r\n{}"));
  EXPECT_THAT(text, HasSubstr("Retry-After: 5\r\n"));
  EXPECT_THAT(text, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(text, HasSubstr("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("Access-Control")));
  EXPECT_THAT(render_response(made, true), testing::EndsWith("Connection: close\r\n\r\n"));
  EXPECT_EQ(error_response(404, "no \xff").body,
            "{\"error\":{\"message\":\"no \xef\xbf\xbd\",\"status\":404}}\n");
}

TEST(Accept, ChoosesOpenMetricsWhereItIsWanted) {
  EXPECT_TRUE(prefers_openmetrics("application/openmetrics-text"));
  EXPECT_TRUE(
      prefers_openmetrics("application/openmetrics-text;version=1.0.0;q=0.8,"
                          "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
                          "*/*;q=0.1"));
  for (const char* other : {"", "*/*", "text/plain", "application/openmetrics-text;q=0",
                            "application/openmetrics-text;q=0.3, text/plain;q=0.9", ";;;,,,q=,"}) {
    EXPECT_FALSE(prefers_openmetrics(other)) << other;
  }
}

TEST(HostPolicy, OnLoopbackOnlyOwnNamesCount) {
  const host_policy loopback(config::address{.host = "127.0.0.5", .port = 9630, .path = ""});
  for (const char* own :
       {"localhost", "LocalHost:1234", "127.0.0.1", "[::1]:9630", "[::1]", "127.0.0.5:9630", "localhost."})
    EXPECT_TRUE(loopback.allows(own)) << own;
  for (const char* other :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:9630", "", "[::2]", "10.0.0.1"})
    EXPECT_FALSE(loopback.allows(other)) << other;
  EXPECT_TRUE(loopback.allows(std::nullopt));
  EXPECT_TRUE(
      host_policy(config::address{.host = "::", .port = 1, .path = ""}).allows("gateway.example.org"));
  EXPECT_TRUE(host_policy(config::address{.host = "", .port = 0, .path = "/run/a"}).allows("anything"));
}

}  // namespace
}  // namespace trunkline::admin
