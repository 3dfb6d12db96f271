#include "runtime/remote_wake.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "runtime/epoll_loop.h"
#include "runtime/simulated_loop.h"
#include "runtime/task.h"

namespace trunkline::runtime {
namespace {

/// Counts how often its signal is raised.
struct listener {
  explicit listener(loop& where) : changed(where), work(count(&changed, &heard)) {
    work.start([](void*) {}, nullptr);
  }
  static task<> count(signal* changed, int* heard) {
    for (;;) {
      co_await changed->wait();
      ++*heard;
    }
  }

  signal changed;
  int heard = 0;
  task<> work;
};

TEST(RemoteWake, RaisesTheSignalOnTheLoop) {
  simulated_loop loop;
  listener one(loop);
  const remote_wake here(loop, one.changed);
  const auto caller = here.handle();
  std::thread([&] { caller.wake(); }).join();
  EXPECT_EQ(one.heard, 0) << "not on the caller's thread";
  loop.settle();
  EXPECT_EQ(one.heard, 1);
  caller.wake();
  here.handle().wake();
  loop.settle();
  EXPECT_EQ(one.heard, 2) << "two calls at once are one change";
}

TEST(RemoteWake, CallersAreEqualWhereTheyWakeTheSame) {
  simulated_loop loop;
  listener one(loop);
  const remote_wake here(loop, one.changed);
  const remote_wake there(loop, one.changed);
  EXPECT_EQ(here.handle(), here.handle());
  EXPECT_NE(here.handle(), there.handle());
  EXPECT_EQ(remote_wake::caller(), remote_wake::caller());
}

TEST(RemoteWake, NobodyIsWokenWhoHasGone) {
  simulated_loop loop;
  remote_wake::caller before;
  {
    listener one(loop);
    const remote_wake here(loop, one.changed);
    before = here.handle();
    before.wake();  // on its way when the listener goes
  }
  loop.settle();
  before.wake();
  loop.settle();
}

TEST(RemoteWake, AListenerMayStopListeningAndGoOn) {
  simulated_loop loop;
  listener one(loop);
  auto here = std::make_unique<remote_wake>(loop, one.changed);
  const auto caller = here->handle();
  caller.wake();
  here.reset();
  loop.settle();
  EXPECT_EQ(one.heard, 0);
  here = std::make_unique<remote_wake>(loop, one.changed);
  caller.wake();
  loop.settle();
  EXPECT_EQ(one.heard, 0) << "the old caller is not the new one's";
  here->handle().wake();
  loop.settle();
  EXPECT_EQ(one.heard, 1);
}

TEST(RemoteWake, ManyThreadsWhileListenersComeAndGo) {
  epoll_loop loop;
  listener one(loop);
  auto here = std::make_unique<remote_wake>(loop, one.changed);
  const auto caller = here->handle();
  std::atomic<int> over{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n)
        caller.wake();
      if (++over < 4) return;
      loop.post([&] { here.reset(); });
      caller.wake();
      loop.post([&] { loop.stop(); });
    });
  }
  loop.run();
  for (auto& each : threads)
    each.join();
  EXPECT_GE(one.heard, 1);
}

}  // namespace
}  // namespace trunkline::runtime
