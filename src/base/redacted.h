// redacted<T>: a secret. It has no formatter and no stream operator, so that it cannot reach a log by
// accident; `reveal()` marks in the source each place that uses it. Memory of a string is wiped when it ends.
#pragma once

#include <cstring>
#include <string>
#include <utility>

namespace trunkline {

/// Overwrites `size` bytes in a way that the compiler may not leave out; of nothing, `memory` may be null.
inline void wipe(void* memory, std::size_t size) {
  if (size > 0) explicit_bzero(memory, size);
}

template <class T>
class redacted {
 public:
  redacted() = default;
  explicit redacted(T secret) : secret_(std::move(secret)) {}
  redacted(const redacted&) = default;
  redacted(redacted&& other) noexcept : secret_(std::move(other.secret_)) { other.forget(); }
  redacted& operator=(const redacted& other) { return *this = redacted(other); }
  redacted& operator=(redacted&& other) noexcept {
    using std::swap;
    swap(secret_, other.secret_);
    return *this;
  }
  /// What is empty has been wiped, or never held anything.
  ~redacted() {
    if constexpr (requires(const T& s) { s.empty(); }) {
      if (secret_.empty()) return;
    }
    forget();
  }

  const T& reveal() const { return secret_; }
  bool empty() const { return secret_.empty(); }

 private:
  /// Wipes all memory of the value, also what a short string left behind when it was moved.
  void forget() {
    if constexpr (requires(T& s) { s.resize(s.capacity()); }) {
      secret_.resize(secret_.capacity());
      if (!secret_.empty()) wipe(secret_.data(), secret_.size() * sizeof(*secret_.data()));
      secret_.clear();
    } else if constexpr (requires(T& s) {
                           s.data();
                           s.size();
                         }) {
      if (secret_.size() != 0) wipe(secret_.data(), secret_.size() * sizeof(*secret_.data()));
    } else {
      secret_ = T{};
    }
  }

  T secret_{};
};

using secret_text = redacted<std::string>;

}  // namespace trunkline
