// Counts what has a cap: half-open logins per source and listener, sessions per listener, route and principal
// (product.md G8). One per process, shared by all workers; a mutex per login, none per byte. Counts belong to
// names, so that they hold over a reload.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace trunkline::session {

class admission {
  struct tally {
    admission* of;  // here, so that a place is one pointer: every session keeps some
    std::size_t taken;
  };
  // An entry stays where it is while it is there.
  using counts = std::unordered_map<std::string, tally>;

 public:
  /// One place under a cap, given back when it ends.
  class place {
   public:
    place() = default;
    place(place&& other) noexcept : in_(std::exchange(other.in_, nullptr)) {}
    place& operator=(place&& other) noexcept {
      std::swap(in_, other.in_);
      return *this;
    }
    ~place() { give_back(); }
    void give_back() {
      if (in_ != nullptr) in_->second.of->leave(*std::exchange(in_, nullptr));
    }
    explicit operator bool() const { return in_ != nullptr; }

   private:
    friend class admission;
    explicit place(counts::value_type& in) : in_(&in) {}
    counts::value_type* in_ = nullptr;  // there until its last place is given back
  };

  /// An empty place: `limit` are taken. `key` names what is counted, for example "route:app".
  place enter(std::string key, std::size_t limit);
  std::size_t count(const std::string& key) const;

 private:
  void leave(counts::value_type& of);

  mutable std::mutex mutex_;
  counts counts_;
};

/// What one session counts for.
struct session_places {
  admission::place listener;
  admission::place route;
  admission::place principal;  ///< of the route; taken when the client has proved who it is
};

}  // namespace trunkline::session
