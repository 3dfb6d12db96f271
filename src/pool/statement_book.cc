#include "pool/statement_book.h"

#include <fmt/format.h>

#include "runtime/random.h"

namespace trunkline::pool {

statement_book::statement_book()
    : prefix_(fmt::format("trunkline_{:08x}_", load_u32(runtime::random_bytes<4>().data()))) {}

std::shared_ptr<const statement> statement_book::find_or_add(byte_span content) {
  const std::string_view wanted = as_text(content);
  std::lock_guard lock(mutex_);
  if (const auto at = known_.find(wanted); at != known_.end()) {
    if (auto found = at->second.lock()) return found;
    known_.erase(at);  // its last user is about to call `forget`, which finds another one or none
  }
  auto made = std::make_unique<statement>();
  made->id = next_++;
  made->name = prefix_ + std::to_string(made->id);
  made->content = wanted;
  std::shared_ptr<const statement> entry(made.release(), [this](const statement* last) {
    forget(last);
    delete last;
  });
  known_.emplace(entry->content, entry);
  return entry;
}

void statement_book::forget(const statement* which) {
  std::lock_guard lock(mutex_);
  const auto at = known_.find(which->content);
  if (at != known_.end() && at->first.data() == which->content.data()) known_.erase(at);
}

std::size_t statement_book::size() const {
  std::lock_guard lock(mutex_);
  return known_.size();
}

}  // namespace trunkline::pool
