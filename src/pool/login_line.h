// Who may open a connection to one endpoint now: so many at a time, in the order of asking. A server that
// fails logins gets fewer at a time (half, down to one), and one more with each that works again: after a
// failover thousands of clients come back in a ramp that the server sets (pathologies.md P20, P26). Any
// thread; a mutex for each login, none per byte.
#pragma once

#include <cstddef>
#include <list>
#include <mutex>
#include <utility>

#include "runtime/remote_wake.h"

namespace trunkline::pool {

class login_line {
  struct waiter {
    runtime::remote_wake::caller who;
    bool admitted = false;
  };
  using waiters = std::list<waiter>;

 public:
  /// One login under way. Destroying it gives the place to the next.
  class turn {
   public:
    turn() = default;
    turn(turn&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
    turn& operator=(turn&& other) noexcept {
      std::swap(line_, other.line_);
      return *this;
    }
    ~turn() { leave(how::neither); }
    void worked() { leave(how::well); }
    /// The server's fault.
    void failed() { leave(how::badly); }
    explicit operator bool() const { return line_ != nullptr; }

   private:
    friend class login_line;
    enum class how : std::uint8_t { well, badly, neither };
    explicit turn(login_line* line) : line_(line) {}
    void leave(how it_went) {
      if (line_ != nullptr) std::exchange(line_, nullptr)->left(it_went);
    }
    login_line* line_ = nullptr;
  };

  /// A place in the line. Destroying it leaves the line.
  class place {
   public:
    place(login_line& line, runtime::loop& where, runtime::signal& changed);
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();
    /// Its turn has come; the signal is raised when this changes. Empty: not yet.
    turn take();

   private:
    login_line& line_;
    runtime::remote_wake here_;
    waiters::iterator at_;
    bool gone_ = false;
  };

  explicit login_line(std::size_t limit) : limit_(limit), allowed_(limit) {}
  login_line(const login_line&) = delete;
  login_line& operator=(const login_line&) = delete;

  void set_limit(std::size_t limit);
  /// Begins with one at a time: a server that has just come up.
  void begin_slowly();
  std::size_t waiting() const;
  std::size_t under_way() const;

 private:
  void left(turn::how it_went);
  void admit();

  mutable std::mutex mutex_;
  std::size_t limit_;
  std::size_t allowed_;
  std::size_t active_ = 0;
  waiters waiters_;
};

}  // namespace trunkline::pool
