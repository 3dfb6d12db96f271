#include "session/statement_head.h"

#include <algorithm>
#include <cstring>

namespace trunkline::session {
namespace {

/// Up to the next NUL, which is taken off `rest` too; all of it where there is none.
std::string_view take_text(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\0'), rest.size());
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return text;
}

}  // namespace

void statement_names::set(std::string_view name, std::string_view text) {
  if (texts_.size() >= limits::statement_names && !texts_.contains(name)) texts_.clear();
  texts_.insert_or_assign(std::string(name), std::string(text));
}

std::string_view statement_names::find(std::string_view name) const {
  const auto found = texts_.find(name);
  return found == texts_.end() ? std::string_view{} : std::string_view(found->second);
}

void statement_head::add(byte_span piece) {
  const std::size_t count = std::min<std::size_t>(piece.size(), bytes_.size() - size_);
  if (count != 0) std::memcpy(bytes_.data() + size_, piece.data(), count);
  size_ += static_cast<std::uint32_t>(count);
}

std::string_view statement_head::text(const statement_names* names) const {
  std::string_view rest(bytes_.data(), size_);
  switch (type_) {
    case 'Q':
      return take_text(rest);
    case 'P':
      take_text(rest);
      return take_text(rest);
    case 'B':
      take_text(rest);
      return names == nullptr ? std::string_view{} : names->find(take_text(rest));
    default:
      return {};
  }
}

}  // namespace trunkline::session
