// Counts what has a cap: half-open logins per source and listener, sessions per listener and route
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
 public:
  /// One place under a cap, given back when it ends.
  class place {
   public:
    place() = default;
    place(place&& other) noexcept : from_(std::exchange(other.from_, nullptr)), key_(std::move(other.key_)) {}
    place& operator=(place&& other) noexcept {
      std::swap(from_, other.from_);
      std::swap(key_, other.key_);
      return *this;
    }
    ~place() { give_back(); }
    void give_back() {
      if (from_ != nullptr) std::exchange(from_, nullptr)->leave(key_);
    }
    explicit operator bool() const { return from_ != nullptr; }

   private:
    friend class admission;
    place(admission* from, std::string key) : from_(from), key_(std::move(key)) {}
    admission* from_ = nullptr;
    std::string key_;
  };

  /// An empty place: `limit` are taken. `key` names what is counted, for example "route:app".
  place enter(std::string key, std::size_t limit);
  std::size_t count(const std::string& key) const;

 private:
  void leave(const std::string& key);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> counts_;
};

}  // namespace trunkline::session
