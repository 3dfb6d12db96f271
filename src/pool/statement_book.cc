#include "pool/statement_book.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/random.h"

namespace trunkline::pool {

statement_book::statement_book()
    : prefix_(fmt::format("trunkline_{:08x}_", load_u32(runtime::random_bytes<4>().data()))) {}

std::shared_ptr<const statement> statement_book::find_or_add(byte_span content) {
  const std::string_view wanted = as_text(content);
  std::lock_guard lock(mutex_);
  if (const auto at = known_.find(wanted); at != known_.end()) {
    if (auto found = at->second.which.lock()) {
      ++at->second.uses;
      return found;
    }
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
  known_.emplace(entry->content, known{.which = entry, .uses = 1});
  return entry;
}

void statement_book::forget(const statement* which) {
  std::lock_guard lock(mutex_);
  const auto at = known_.find(which->content);
  if (at != known_.end() && at->first.data() == which->content.data()) known_.erase(at);
}

std::vector<statement_use> statement_book::most_used(std::size_t most) const {
  std::vector<statement_use> all;
  {
    std::lock_guard lock(mutex_);
    all.reserve(known_.size());
    for (const auto& each : known_) {
      auto entry = each.second.which.lock();
      if (entry == nullptr) continue;
      const auto others = static_cast<std::uint64_t>(std::max(entry.use_count() - 1, 0L));
      all.push_back({std::move(entry), each.second.uses, others});
    }
  }
  // What is dropped here may be its last owner, whose end wants the mutex.
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(std::min(most, all.size()));
  std::partial_sort(all.begin(), middle, all.end(), [](const statement_use& a, const statement_use& b) {
    return a.uses != b.uses ? a.uses > b.uses : a.which->id < b.which->id;
  });
  all.erase(middle, all.end());
  return all;
}

std::size_t statement_book::size() const {
  std::lock_guard lock(mutex_);
  return known_.size();
}

}  // namespace trunkline::pool
