#include "runtime/apart.h"

#include <gtest/gtest.h>

#include <future>

#include "runtime/deadline.h"
#include "runtime/epoll_loop.h"
#include "runtime/task.h"

namespace trunkline::runtime {
namespace {

using namespace std::chrono_literals;

task<void> wait_for(loop* where, std::shared_future<int> answer, duration patience,
                    std::optional<int>* into) {
  signal changed(*where);
  deadline late(*where, changed, patience);
  apart<int> work(*where, changed);
  EXPECT_TRUE(work.start([answer] { return answer.get(); }));
  while (!work.done() && !late.passed())
    co_await changed.wait();
  if (work.done()) *into = work.take();
}

std::optional<int> run(std::shared_future<int> answer, duration patience) {
  epoll_loop where;
  std::optional<int> made;
  task<void> story = wait_for(&where, std::move(answer), patience, &made);
  where.post([&] { story.start([](void* loop) { static_cast<epoll_loop*>(loop)->stop(); }, &where); });
  where.run();
  return made;
}

TEST(Apart, BringsItsValueToTheLoop) {
  std::promise<int> said;
  said.set_value(7);
  EXPECT_EQ(run(said.get_future().share(), 10s), 7);
}

TEST(Apart, IsLeftBehindWhereItHangsAndTouchesNothingLater) {
  std::promise<int> said;
  const auto answer = said.get_future().share();
  EXPECT_EQ(run(answer, 20ms), std::nullopt);
  said.set_value(7);  // its loop is gone
}

}  // namespace
}  // namespace trunkline::runtime
