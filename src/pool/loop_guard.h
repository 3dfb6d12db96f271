// Finds an upstream that leads back to the gateway itself: a connection that comes in from where one of the
// gateway's own has just gone out. Without it each session would open the next, up to some limit. A loop
// through an address translation is not seen here; the health check's account of it ends in `down`. One per
// process; any thread; a mutex for each login.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "net/socket_address.h"

namespace trunkline::pool {

class loop_guard {
  struct leg {
    std::string ends;  // both: an outgoing port may be in use towards several destinations
    bool looped = false;
  };

 public:
  /// One connection that has gone out and is not yet logged in.
  class watched {
   public:
    watched() = default;
    watched(watched&& other) noexcept : guard_(std::exchange(other.guard_, nullptr)), at_(other.at_) {}
    watched& operator=(watched&& other) noexcept {
      std::swap(guard_, other.guard_);
      std::swap(at_, other.at_);
      return *this;
    }
    ~watched();
    /// It came back.
    bool looped() const;

   private:
    friend class loop_guard;
    watched(loop_guard* guard, std::list<leg>::iterator at) : guard_(guard), at_(at) {}
    loop_guard* guard_ = nullptr;
    std::list<leg>::iterator at_;
  };

  /// False: none is on its way out, and no connection that came in is one of these.
  bool watches() const { return watching_.load() > 0; }
  watched watch(const net::socket_address& from, const net::socket_address& to);
  /// Whether a connection that came in from `peer` at `here` is one of these; it is told so.
  bool is_own(const net::socket_address& peer, const net::socket_address& here);

 private:
  std::mutex mutex_;
  std::list<leg> legs_;
  std::atomic<int> watching_{0};
};

}  // namespace trunkline::pool
