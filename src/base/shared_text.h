// A text of which many holders have the same one: user names, databases, cipher suites of ten thousand
// sessions. Each text is kept once for the whole process, and goes with its last holder. Setting and dropping
// one take a lock, reading does not: for what is set once in a session's life. Any thread; one object is one
// thread's.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace trunkline {

class shared_text {
 public:
  shared_text() = default;
  shared_text(std::string_view text);  // NOLINT(google-explicit-constructor)
  shared_text(const std::string& text) : shared_text(std::string_view(text)) {}  // NOLINT
  shared_text(const char* text) : shared_text(std::string_view(text)) {}         // NOLINT
  shared_text(shared_text&& other) noexcept : kept_(std::exchange(other.kept_, nullptr)) {}
  shared_text& operator=(shared_text&& other) noexcept {
    std::swap(kept_, other.kept_);
    return *this;
  }
  ~shared_text();

  const std::string& str() const;
  operator const std::string&() const { return str(); }  // NOLINT(google-explicit-constructor)
  bool empty() const { return kept_ == nullptr; }

 private:
  struct entry;
  struct table;
  static table& all();
  entry* kept_ = nullptr;  // null: the empty text
};

}  // namespace trunkline
