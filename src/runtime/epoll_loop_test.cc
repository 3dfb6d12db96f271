#include "runtime/epoll_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/limits.h"

namespace trunkline::runtime {
namespace {

using namespace std::chrono_literals;

struct seen : stream_handler {
  void on_received(buffer data) override {
    const auto bytes = data.bytes();
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  void on_held() override { ++held; }
  void on_drained() override { ++drained; }
  void on_end(stream_end end) override { ends.push_back(end.what); }
  std::string text;
  std::vector<stream_end::kind> ends;
  int held = 0;
  int drained = 0;
};

/// One stream on the loop, and the plain socket at its other end.
struct line {
  explicit line(epoll_loop& loop) {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) != 0) std::abort();
    stream = loop.adopt(both[0]);
    stream->set_handler(&handler);
    peer = unique_fd(both[1]);
  }
  std::string read() const {
    std::string all(1 << 20, '\0');
    const ssize_t count = ::recv(peer.get(), all.data(), all.size(), 0);
    all.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return all;
  }
  bool sees_fin() const {
    char byte = 0;
    return ::recv(peer.get(), &byte, 1, 0) == 0;
  }
  seen handler;
  std::unique_ptr<byte_stream> stream;
  unique_fd peer;
};

class EpollLoop : public testing::TestWithParam<gathering> {
 protected:
  EpollLoop() : loop(GetParam()) {}

  buffer filled(std::string_view text, buffer_size size = buffer_size::small) {
    buffer made = loop.buffers().lend(size);
    std::memcpy(made.room().data(), text.data(), text.size());
    made.commit(text.size());
    return made;
  }
  /// Runs the loop until `done`, and the test fails where that does not come.
  void run(std::function<void()> first, std::function<bool()> done) {
    first_ = std::move(first);
    done_ = std::move(done);
    loop.post([this] {
      first_();
      tick_.arm(loop.now());
    });
    loop.run();
    EXPECT_TRUE(finished_);
  }

  epoll_loop loop;

 private:
  void look() {
    finished_ = done_();
    if (finished_ || ++looks_ > 3000) return loop.stop();
    tick_.arm(loop.now() + 1ms);
  }
  std::function<void()> first_;
  std::function<bool()> done_;
  int looks_ = 0;
  bool finished_ = false;
  timer tick_{loop.timers(), [](void* self) { static_cast<EpollLoop*>(self)->look(); }, this};
};

INSTANTIATE_TEST_SUITE_P(Sends, EpollLoop, testing::Values(gathering::when_possible, gathering::never),
                         [](const auto& each) {
                           return each.param == gathering::never ? "OneByOne" : "Gathered";
                         });

TEST_P(EpollLoop, ManySendsOfOneTurnArriveWhole) {
  std::vector<std::unique_ptr<line>> lines;
  for (std::size_t i = 0; i < 3 * limits::sends_per_batch; ++i)
    lines.push_back(std::make_unique<line>(loop));
  std::size_t arrived = 0;
  run(
      [&] {
        for (std::size_t i = 0; i < lines.size(); ++i) {
          const std::string text = "line " + std::to_string(i);
          EXPECT_EQ(lines[i]->stream->send(filled(text)), sending::done);
        }
      },
      [&] {
        for (std::size_t i = 0; i < lines.size(); ++i)
          arrived += lines[i]->read() == "line " + std::to_string(i) ? 1 : 0;
        return arrived == lines.size();
      });
  EXPECT_EQ(loop.buffers().lent(), 0u);
}

/// What takes long, and the first of them lets a byte arrive elsewhere.
struct long_job {
  long_job(epoll_loop& loop, std::function<void()> work)
      : what(std::move(work)), turn(loop, [](void* self) { static_cast<long_job*>(self)->what(); }, this) {}
  std::function<void()> what;
  deferred turn;
};

TEST_P(EpollLoop, LongWorkLeavesSocketsTheirTurns) {
  line other(loop);
  std::size_t done = 0;
  std::size_t done_before_it_was_read = 0;
  std::vector<std::unique_ptr<long_job>> jobs;
  for (int i = 0; i < 20; ++i)
    jobs.push_back(std::make_unique<long_job>(loop, [&] {
      if (done++ == 0) {
        EXPECT_EQ(::send(other.peer.get(), "x", 1, 0), 1);
      }
      for (const auto until = std::chrono::steady_clock::now() + 5ms;
           std::chrono::steady_clock::now() < until;) {
      }
      if (other.handler.text.empty()) done_before_it_was_read = done;
    }));
  run(
      [&] {
        other.stream->resume_receiving();
        for (const auto& each : jobs)
          each->turn.schedule_long();
      },
      [&] { return done == jobs.size(); });
  EXPECT_EQ(other.handler.text, "x");
  EXPECT_EQ(done_before_it_was_read, 1U);
}

TEST_P(EpollLoop, LongWorkThatIsScheduledAgainOrCancelledEndsNothing) {
  std::size_t done = 0;
  long_job cancelled(loop, [&] { ADD_FAILURE(); });
  long_job* again = nullptr;
  long_job first(loop, [&] {
    cancelled.turn.cancel();
    if (++done < 1000) again->turn.schedule_long();
  });
  again = &first;
  run(
      [&] {
        first.turn.schedule_long();
        cancelled.turn.schedule_long();
      },
      [&] { return done == 1000; });
  EXPECT_GT(loop.busy(), 0ms);
}

TEST_P(EpollLoop, KeepsTheOrderOfOneStream) {
  line a(loop);
  line b(loop);
  std::string all;
  run(
      [&] {
        for (const char* each : {"one ", "two ", "three"})
          EXPECT_EQ(a.stream->send(filled(each)), sending::done);
        b.stream->send(filled("beside"));
      },
      [&] { return (all += a.read()) == "one two three" && b.read() == "beside"; });
}

TEST_P(EpollLoop, WhatWasSentArrivesBeforeTheEnd) {
  line closed(loop);
  line finished(loop);
  run(
      [&] {
        closed.stream->send(filled("last word"));
        closed.stream->close();
        finished.stream->send(filled("before the FIN"));
        finished.stream->finish_sending();
        EXPECT_EQ(closed.read(), "last word");
        EXPECT_TRUE(closed.sees_fin());
        EXPECT_EQ(finished.read(), "before the FIN");
        EXPECT_TRUE(finished.sees_fin());
      },
      [] { return true; });
}

TEST_P(EpollLoop, UnsentIsWhatTheKernelDoesNotTake) {
  line one(loop);
  run(
      [&] {
        one.stream->send(filled("small"));
        EXPECT_EQ(one.stream->unsent(), 0u);
        EXPECT_EQ(one.read(), "small");
      },
      [] { return true; });
}

TEST_P(EpollLoop, AFullSocketHoldsAndThenDrains) {
  line full(loop);
  line other(loop);
  const std::string piece(limits::buffer_bytes_small, 'x');
  std::size_t sent = 0;
  std::size_t read = 0;
  bool held = false;
  // A chunk in each turn, as a relay does, beside a second stream, so that there is a batch.
  std::function<void()> step;
  deferred next(loop, [](void* self) { (*static_cast<std::function<void()>*>(self))(); }, &step);
  step = [&] {
    if (held || full.handler.held > 0) return;
    sent += piece.size();
    held = full.stream->send(filled(piece)) == sending::held;
    other.stream->send(filled("o"));
    next.schedule();
  };
  run([&] { step(); },
      [&] {
        if (!held && full.handler.held == 0) return false;
        if (read == 0 && full.handler.drained > 0) return false;  // it cannot have drained unread
        read += full.read().size();
        return read == sent && full.handler.drained == 1;
      });
  EXPECT_EQ(full.handler.held, loop.gathers() ? 1 : 0);
  EXPECT_EQ(full.stream->unsent(), 0u);
}

TEST_P(EpollLoop, ABrokenPeerIsToldOnceAndOthersAreServed) {
  line broken(loop);
  line sound(loop);
  broken.peer = unique_fd();
  run(
      [&] {
        broken.stream->send(filled("into the void"));
        sound.stream->send(filled("through"));
      },
      [&] { return !broken.handler.ends.empty() && sound.read() == "through"; });
  EXPECT_EQ(broken.handler.ends, std::vector{stream_end::kind::reset});
  EXPECT_EQ(broken.stream->send(filled("again")), sending::broken);
}

/// Closes the other stream of a pair from inside the callback of its own.
struct closer : seen {
  void on_held() override {
    ++held;
    other->close();
  }
  byte_stream* other = nullptr;
};

TEST_P(EpollLoop, AStreamMayBeClosedWhileTheBatchIsTold) {
  line slow(loop);
  line other(loop);
  closer handler;
  handler.other = other.stream.get();
  int size = 4096;
  ::setsockopt(slow.stream->native_handle(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  const std::string piece(limits::buffer_bytes_small, 'x');
  while (::send(slow.stream->native_handle(), piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
  }
  slow.stream->set_handler(&handler);
  run(
      [&] {
        slow.stream->send(filled(piece));
        other.stream->send(filled("once"));
      },
      [&] { return handler.held > 0 || !loop.gathers(); });
  EXPECT_EQ(other.read(), "once");
  EXPECT_EQ(other.sees_fin(), loop.gathers());
}

}  // namespace
}  // namespace trunkline::runtime
