// A TLS stream among others on a loop.
#include "tls/tls_stream.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/epoll_loop.h"
#include "runtime/unique_fd.h"
#include "tls/test_support.h"

namespace trunkline::tls {
namespace {

using test::bytes;
using test::world;

/// A stream of the loop, and the other end of its socket.
struct socket_pair {
  explicit socket_pair(runtime::loop& loop) {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) != 0) std::abort();
    stream = loop.adopt(both[0]);
    peer = runtime::unique_fd(both[1]);
  }
  void say(byte_span what) const {
    EXPECT_EQ(::send(peer.get(), what.data(), what.size(), 0), static_cast<ssize_t>(what.size()));
  }
  std::unique_ptr<runtime::byte_stream> stream;
  runtime::unique_fd peer;
};

struct stranger : runtime::stream_handler {
  void on_received(runtime::buffer) override {}
  void on_end(runtime::stream_end) override {}
};

using tls_streams = std::vector<std::unique_ptr<tls_stream>>;

/// Counts, at its first byte, at how many others the ClientHello was looked at before.
struct resident : runtime::stream_handler {
  resident(runtime::loop& on, const tls_streams& others) : loop(on), arriving(others) {}
  void on_received(runtime::buffer) override {
    for (const auto& each : arriving)
      served_before += each->session().server_name().empty() ? 0 : 1;
    loop.stop();
  }
  void on_end(runtime::stream_end) override { loop.stop(); }
  runtime::loop& loop;
  const tls_streams& arriving;
  std::size_t served_before = 0;
};

bytes client_hello(engine& client) {
  bytes nothing;
  bytes hello;
  EXPECT_EQ(test::advance(client, nothing, hello, {}), status::want_input);
  return hello;
}

TEST(TlsStream, ManyThatArriveDoNotKeepOthersWaiting) {
  constexpr std::size_t count = 100;
  const world around;
  const auto client_side = around.client_side();
  const auto server_side = around.server_side();
  runtime::epoll_loop loop;
  stranger nobody;
  std::vector<engine> clients;
  std::vector<socket_pair> pairs;
  tls_streams arriving;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(client_side->connect("db.example.org", negotiation::ssl_request));
    pairs.emplace_back(loop).say(client_hello(clients.back()));
    arriving.push_back(std::make_unique<tls_stream>(loop, std::move(pairs.back().stream),
                                                    server_side->accept(negotiation::ssl_request)));
    arriving.back()->set_handler(&nobody);
  }
  socket_pair long_since(loop);
  resident who(loop, arriving);
  long_since.stream->set_handler(&who);
  loop.post([&] {
    for (const auto& each : arriving)
      each->start({});
    long_since.stream->resume_receiving();
  });
  long_since.say(as_bytes("select 1"));
  loop.run();
  EXPECT_LT(who.served_before, count / 2);
}

}  // namespace
}  // namespace trunkline::tls
