#include "base/shared_text.h"

#include <memory>
#include <mutex>
#include <unordered_map>

namespace trunkline {

struct shared_text::entry {
  std::string text;
  std::size_t holders = 0;
};

struct shared_text::table {
  std::mutex mutex;
  std::unordered_map<std::string_view, std::unique_ptr<entry>> entries;  // by their own texts
};

/// Never destroyed: whoever holds a text may outlive everything else.
shared_text::table& shared_text::all() {
  static auto* const made = new table;
  return *made;
}

shared_text::shared_text(std::string_view text) {
  if (text.empty()) return;
  table& of = all();
  std::lock_guard lock(of.mutex);
  auto found = of.entries.find(text);
  if (found == of.entries.end()) {
    auto made = std::make_unique<entry>(std::string(text));
    const std::string_view key = made->text;
    found = of.entries.emplace(key, std::move(made)).first;
  }
  kept_ = found->second.get();
  ++kept_->holders;
}

shared_text::~shared_text() {
  if (kept_ == nullptr) return;
  table& of = all();
  std::lock_guard lock(of.mutex);
  if (--kept_->holders == 0) of.entries.erase(kept_->text);
}

const std::string& shared_text::str() const {
  static const std::string nothing;
  return kept_ == nullptr ? nothing : kept_->text;
}

}  // namespace trunkline
