#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"
#include "runtime/deadline.h"
#include "runtime/simulated_loop.h"
#include "runtime/task.h"
#include "runtime/work_pool.h"

namespace trunkline::runtime {
namespace {

using namespace std::chrono_literals;

// ---- buffers ----

TEST(BufferPool, LendsTheSameMemoryAgain) {
  buffer_pool pool;
  const std::byte* first = nullptr;
  {
    buffer a = pool.lend(buffer_size::small);
    first = a.room().data();
    EXPECT_EQ(a.room().size(), limits::buffer_bytes_small);
    EXPECT_EQ(pool.lent(), 1u);
  }
  EXPECT_EQ(pool.lent(), 0u);
  EXPECT_EQ(pool.lend(buffer_size::small).room().data(), first);
}

TEST(BufferPool, MovingABufferLendsItOnce) {
  buffer_pool pool;
  buffer a = pool.lend(buffer_size::large);
  a.commit(10);
  buffer b = std::move(a);
  EXPECT_EQ(b.size(), 10u);
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move)
  EXPECT_EQ(pool.lent(), 1u);
  b = buffer();
  EXPECT_EQ(pool.lent(), 0u);
}

TEST(BufferPool, FewBytesThatWaitTakeLittleMemory) {
  buffer_pool pool;
  buffer came = pool.lend(buffer_size::small);
  const std::byte* read_into = came.room().data();
  for (std::size_t i = 0; i < 100; ++i)
    came.room()[i] = static_cast<std::byte>(i);
  came.commit(100);
  came.consume(40);
  const buffer waits = pool.compact(std::move(came));
  EXPECT_EQ(waits.capacity(), limits::buffer_bytes_tiny);
  ASSERT_EQ(waits.size(), 60u);
  EXPECT_EQ(waits.bytes()[0], std::byte{40});
  EXPECT_EQ(waits.bytes()[59], std::byte{99});
  EXPECT_EQ(pool.lent(), 1u);
  EXPECT_EQ(pool.lend(buffer_size::small).room().data(), read_into) << "it serves the next one";
}

TEST(BufferPool, ManyBytesStayWhereTheyAre) {
  buffer_pool pool;
  buffer came = pool.lend(buffer_size::small);
  const std::byte* read_into = came.room().data();
  came.commit(limits::buffer_bytes_tiny + 1);
  const buffer waits = pool.compact(std::move(came));
  EXPECT_EQ(waits.bytes().data(), read_into);
}

// ---- timers ----

struct firing {
  std::vector<int>* order;
  int number;
  static void call(void* self) {
    auto* f = static_cast<firing*>(self);
    f->order->push_back(f->number);
  }
};

TEST(Timers, FireInTheOrderOfTheirDeadlines) {
  simulated_loop loop;
  std::vector<int> order;
  std::vector<firing> all;
  std::vector<std::unique_ptr<timer>> timers;
  all.reserve(200);
  for (int i = 0; i < 200; ++i) {
    all.push_back({&order, i});
    timers.push_back(std::make_unique<timer>(loop.timers(), &firing::call, &all.back()));
    timers.back()->arm(loop.now() + std::chrono::milliseconds((i * 37) % 200));
  }
  for (int i = 0; i < 200; i += 2)
    timers[static_cast<std::size_t>(i)]->disarm();
  loop.advance(1s);
  ASSERT_EQ(order.size(), 100u);
  for (std::size_t i = 1; i < order.size(); ++i) {
    EXPECT_LT((order[i - 1] * 37) % 200, (order[i] * 37) % 200);
    EXPECT_EQ(order[i] % 2, 1);
  }
}

TEST(Timers, ATimerMayDestroyItselfAndArmAnother) {
  simulated_loop loop;
  struct chain {
    simulated_loop* loop;
    std::unique_ptr<timer> current;
    int fired = 0;
    static void call(void* self) {
      auto* c = static_cast<chain*>(self);
      if (++c->fired == 3) return c->current.reset();
      c->current = std::make_unique<timer>(c->loop->timers(), &chain::call, c);
      c->current->arm(c->loop->now() + 10ms);
    }
  } c{&loop, nullptr};
  c.current = std::make_unique<timer>(loop.timers(), &chain::call, &c);
  c.current->arm(loop.now() + 10ms);
  loop.advance(25ms);
  EXPECT_EQ(c.fired, 2);
  loop.advance(10ms);
  EXPECT_EQ(c.fired, 3);
  EXPECT_TRUE(loop.timers().empty());
}

// ---- tasks and signals ----

task<int> wait_for(signal* changed, const bool* ready, int value) {
  while (!*ready)
    co_await changed->wait();
  co_return value;
}

task<int> add_two(signal* changed, const bool* ready) {
  const int a = co_await wait_for(changed, ready, 1);
  const int b = co_await wait_for(changed, ready, 2);
  co_return a + b;
}

TEST(Task, IsResumedByTheLoopAndNotByRaise) {
  simulated_loop loop;
  signal changed(loop);
  bool ready = false;
  bool done = false;
  auto work = add_two(&changed, &ready);
  work.start([](void* flag) { *static_cast<bool*>(flag) = true; }, &done);
  changed.raise();
  loop.settle();
  EXPECT_FALSE(done);
  ready = true;
  changed.raise();
  EXPECT_FALSE(done);
  loop.settle();
  ASSERT_TRUE(done);
  EXPECT_EQ(work.take(), 3);
}

struct sentinel {
  bool* destroyed;
  ~sentinel() { *destroyed = true; }
};

task<> hold(signal* changed, bool* destroyed) {
  const sentinel here{destroyed};
  for (;;)
    co_await changed->wait();
}

TEST(Task, DestroyingItCancelsAndUnwinds) {
  simulated_loop loop;
  signal changed(loop);
  bool destroyed = false;
  {
    auto work = hold(&changed, &destroyed);
    work.start([](void*) {}, nullptr);
    changed.raise();  // a resumption is on its way when the coroutine goes
    EXPECT_FALSE(destroyed);
  }
  EXPECT_TRUE(destroyed);
  loop.settle();
}

task<> throw_it() {
  throw std::runtime_error("boom");
  co_return;
}

TEST(Task, KeepsAnExceptionForWhoTakesTheResult) {
  auto work = throw_it();
  work.start([](void*) {}, nullptr);
  EXPECT_THROW(work.take(), std::runtime_error);
}

task<bool> first_of(simulated_loop* loop, signal* changed, const bool* ready) {
  deadline limit(*loop, *changed, 5s);
  while (!*ready && !limit.passed())
    co_await changed->wait();
  co_return *ready;
}

TEST(Deadline, EndsAWait) {
  simulated_loop loop;
  signal changed(loop);
  bool ready = false;
  bool done = false;
  auto work = first_of(&loop, &changed, &ready);
  work.start([](void* flag) { *static_cast<bool*>(flag) = true; }, &done);
  loop.advance(4s);
  EXPECT_FALSE(done);
  loop.advance(2s);
  ASSERT_TRUE(done);
  EXPECT_FALSE(work.take());
}

// ---- work pool ----

TEST(WorkPool, CompletesOnTheLoop) {
  simulated_loop loop;
  signal changed(loop);
  work_pool pool(2, 16);
  job<int> slow(loop, pool, changed);
  ASSERT_TRUE(slow.start([] { return 42; }));
  for (int i = 0; i < 2000 && !slow.done(); ++i) {
    std::this_thread::sleep_for(1ms);
    loop.settle();
  }
  ASSERT_TRUE(slow.done());
  EXPECT_EQ(slow.take(), 42);
}

TEST(WorkPool, RefusesWhenItsQueueIsFull) {
  std::mutex gate;
  gate.lock();
  {
    work_pool pool(1, 2);
    ASSERT_TRUE(pool.submit([&gate] { std::lock_guard wait(gate); }));
    bool refused = false;
    for (int i = 0; i < 4; ++i)
      refused = !pool.submit([] {}) || refused;
    EXPECT_TRUE(refused);
    gate.unlock();
  }
}

TEST(WorkPool, AnAbandonedJobTellsNobody) {
  simulated_loop loop;
  signal changed(loop);
  {
    work_pool pool(1, 16);
    job<int> slow(loop, pool, changed);
    ASSERT_TRUE(slow.start([] {
      std::this_thread::sleep_for(20ms);
      return 1;
    }));
  }
  loop.settle();  // the completion arrives where no job waits
}

// ---- pipes ----

struct recorder : stream_handler {
  void on_received(buffer data) override {
    ++pieces;
    const auto bytes = data.bytes();
    all.insert(all.end(), bytes.begin(), bytes.end());
  }
  void on_drained() override { ++drained; }
  void on_end(stream_end end) override { ends.push_back(end.what); }
  std::vector<std::byte> all;
  std::vector<stream_end::kind> ends;
  int pieces = 0;
  int drained = 0;
};

buffer filled(loop& where, std::size_t size, char with) {
  buffer made = where.buffers().lend(buffer_size::small);
  std::fill_n(made.room().begin(), size, static_cast<std::byte>(with));
  made.commit(size);
  return made;
}

TEST(SimulatedPipe, HoldsBackASenderWhoseReaderIsSlow) {
  simulated_loop loop;
  auto [one, other] = loop.make_pipe(100);
  recorder sender;
  recorder reader;
  one->set_handler(&sender);
  other->set_handler(&reader);
  EXPECT_EQ(one->send(filled(loop, 250, 'x')), sending::held);
  loop.settle();
  EXPECT_EQ(sender.drained, 0);
  EXPECT_EQ(one->unsent(), 150u);
  other->resume_receiving();
  loop.settle();
  EXPECT_EQ(sender.drained, 1);
  EXPECT_EQ(reader.all.size(), 250u);
  one->finish_sending();
  loop.settle();
  ASSERT_EQ(reader.ends.size(), 1u);
  EXPECT_EQ(reader.ends[0], stream_end::kind::fin);
  one->reset();
  loop.settle();
  EXPECT_EQ(reader.ends.back(), stream_end::kind::reset);
}

}  // namespace
}  // namespace trunkline::runtime
