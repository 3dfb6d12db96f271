// Prepared statements by content: clients that prepare the same text under whatever name share one entry, and
// with it what the server connections have prepared already. Process-wide; a mutex for each Parse that names
// a statement, none for its uses. An entry lives as long as somebody uses it. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace trunkline::pool {

/// Immutable.
struct statement {
  std::uint64_t id = 0;
  std::string name;     ///< what it is called at every server
  std::string content;  ///< the body of Parse behind the name: the text, NUL, and the parameter types
  std::string_view text() const { return std::string_view(content).substr(0, content.find('\0')); }
};

/// How a statement is used.
struct statement_use {
  std::shared_ptr<const statement> which;
  std::uint64_t uses = 0;   ///< times that a client has prepared it
  std::uint64_t users = 0;  ///< who have it now
};

class statement_book {
 public:
  statement_book();
  statement_book(const statement_book&) = delete;
  statement_book& operator=(const statement_book&) = delete;

  /// `content` is the body of a Parse behind its name.
  std::shared_ptr<const statement> find_or_add(byte_span content);
  std::size_t size() const;
  /// The `most` that were used most often, in that order.
  std::vector<statement_use> most_used(std::size_t most) const;

 private:
  struct known {
    std::weak_ptr<const statement> which;
    std::uint64_t uses = 0;  ///< times that a client has prepared it
  };
  void forget(const statement* which);

  mutable std::mutex mutex_;
  std::unordered_map<std::string_view, known> known_;  // keys lie in the statements
  std::uint64_t next_ = 1;
  std::string prefix_;  // nobody guesses it, so that no client's name is the same
};

}  // namespace trunkline::pool
