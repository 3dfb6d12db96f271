#include "session/answer_edits.h"

#include <algorithm>

namespace trunkline::session {

void answer_edits::put_in(std::uint64_t behind_request, byte_span message) {
  if (!put_in_.empty() && put_in_.back().behind == behind_request) {
    put_in_.back().message.insert(put_in_.back().message.end(), message.begin(), message.end());
  } else {
    put_in_.push_back({behind_request, {message.begin(), message.end()}});
  }
}

bool answer_edits::swallows(std::uint64_t request) {
  const auto at = std::find(swallowed_.begin(), swallowed_.end(), request);
  if (at == swallowed_.end()) return false;
  swallowed_.erase(swallowed_.begin(), at + 1);
  return true;
}

std::vector<std::byte> answer_edits::take_due(std::uint64_t current) {
  std::vector<std::byte> due;
  auto at = put_in_.begin();
  for (; at != put_in_.end() && (current == 0 || at->behind < current); ++at)
    due.insert(due.end(), at->message.begin(), at->message.end());
  put_in_.erase(put_in_.begin(), at);
  return due;
}

void answer_edits::fail(std::uint64_t request, std::uint64_t sync) {
  const auto skipped = [&](std::uint64_t number) {
    return number >= request && (sync == 0 || number < sync);
  };
  std::erase_if(swallowed_, skipped);
  std::erase_if(put_in_, [&](const insertion& each) { return skipped(each.behind); });
}

}  // namespace trunkline::session
