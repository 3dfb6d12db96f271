// task<T>: a lazy coroutine. It starts when it is awaited (or `start`ed, for the outermost one) and is owned
// by whoever holds the task object: destroying that destroys the frame, and with it everything the coroutine
// owns and whatever it waits for. There is no other form of cancellation. Rules (ARCHITECTURE.md): no
// capturing lambda as a coroutine, no reference parameters, no lock or view held across co_await, no co_await
// of a conditional expression (GCC 12 miscompiles it). Owner: one loop thread.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "runtime/frame_memory.h"

namespace trunkline::runtime {

template <class T = void>
class task;

namespace detail {

class promise_base {
 public:
  struct final_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
      promise_base& promise = finished.promise();
      if (promise.continuation_) return promise.continuation_;
      if (promise.on_done_ != nullptr) promise.on_done_(promise.done_context_);
      return std::noop_coroutine();
    }
    void await_resume() const noexcept {}
  };

  static void* operator new(std::size_t bytes) { return take_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) { give_back_frame(frame, bytes); }

  std::suspend_always initial_suspend() const noexcept { return {}; }
  final_awaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() { exception_ = std::current_exception(); }
  void rethrow_if_failed() const {
    if (exception_) std::rethrow_exception(exception_);
  }

  std::coroutine_handle<> continuation_;
  void (*on_done_)(void*) = nullptr;
  void* done_context_ = nullptr;

 private:
  std::exception_ptr exception_;
};

template <class T>
class promise final : public promise_base {
 public:
  task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() {
    rethrow_if_failed();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class promise<void> final : public promise_base {
 public:
  task<void> get_return_object();
  void return_void() {}
  void take() { rethrow_if_failed(); }
};

}  // namespace detail

template <class T>
class [[nodiscard]] task {
 public:
  using promise_type = detail::promise<T>;

  task() = default;
  explicit task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  task(task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  /// For the outermost coroutine: runs it up to its first suspension. `on_done` is called when it has
  /// returned, on its own stack: it must not destroy the task there (use `deferred`).
  void start(void (*on_done)(void*), void* context) {
    handle_.promise().on_done_ = on_done;
    handle_.promise().done_context_ = context;
    handle_.resume();
  }
  /// The result of a coroutine that was `start`ed and is done. Throws what it threw.
  T take() { return handle_.promise().take(); }
  explicit operator bool() const { return static_cast<bool>(handle_); }

  auto operator co_await() && noexcept {
    struct awaiter {
      std::coroutine_handle<promise_type> awaited;
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) noexcept {
        awaited.promise().continuation_ = waiting;
        return awaited;
      }
      T await_resume() { return awaited.promise().take(); }
    };
    return awaiter{handle_};
  }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

template <class T>
task<T> promise<T>::get_return_object() {
  return task<T>(std::coroutine_handle<promise>::from_promise(*this));
}

inline task<void> promise<void>::get_return_object() {
  return task<void>(std::coroutine_handle<promise>::from_promise(*this));
}

}  // namespace detail

}  // namespace trunkline::runtime
