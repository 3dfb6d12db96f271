#include "audit/message_log.h"

#include <algorithm>

#include "base/limits.h"

namespace trunkline::audit {
namespace {

constexpr std::size_t hash_bytes = 32;
/// An idle session keeps no more than this.
constexpr std::size_t kept_capacity = 4'096;

}  // namespace

/// What has grown behind it meanwhile (the other side's messages) stays where it is: it moves to the end
/// itself.
void message_log::append(tapped_message& to, byte_span piece) {
  if (to.offset + to.size != bytes_.size()) {
    const std::size_t begin = bytes_.size();
    bytes_.resize(begin + to.size);
    std::copy_n(bytes_.begin() + to.offset, to.size, bytes_.begin() + static_cast<std::ptrdiff_t>(begin));
    to.offset = static_cast<std::uint32_t>(begin);
  }
  bytes_.insert(bytes_.end(), piece.begin(), piece.end());
}

void message_log::add(const tap_header& head, byte_span payload) {
  const bool from_client = head.kind == tap_kind::client_message;
  std::size_t& open = open_[from_client ? 1 : 0];
  if (open != none && (messages_[open].type != head.type || messages_[open].request != head.request))
    open = none;
  if (open == none) {
    open = messages_.size();
    messages_.push_back({.request = head.request,
                         .length = head.length,
                         .offset = static_cast<std::uint32_t>(bytes_.size()),
                         .type = head.type,
                         .from_client = from_client});
  }
  tapped_message& message = messages_[open];
  message.cut = message.cut || head.cut != 0;
  message.complete = head.last != 0;
  if (head.last != 0 && head.cut != 0 && payload.size() == hash_bytes) {
    append(message, payload);
    message.hashed = true;
  } else {
    const std::size_t room =
        limits::audit_message_bytes - std::min<std::size_t>(message.size, limits::audit_message_bytes);
    if (payload.size() > room) message.cut = true;
    const byte_span piece = payload.first(std::min(room, payload.size()));
    append(message, piece);
    message.size += static_cast<std::uint32_t>(piece.size());
  }
  if (head.last != 0) open = none;
}

void message_log::add_gathered(byte_span payload) {
  const std::size_t begin = bytes_.size();
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  each_gathered(payload, [&](const gathered_message& head, byte_span body) {
    const std::size_t size = std::min(body.size(), limits::audit_message_bytes);
    messages_.push_back(
        {.request = head.request,
         .length = head.size,
         .offset = static_cast<std::uint32_t>(begin + static_cast<std::size_t>(body.data() - payload.data())),
         .size = static_cast<std::uint32_t>(size),
         .type = head.type,
         .from_client = head.from_client != 0,
         .cut = size != head.size,
         .complete = true});
    open_[head.from_client != 0 ? 1 : 0] = none;
  });
}

void message_log::drop_through(std::uint64_t request) {
  const bool all = std::all_of(messages_.begin(), messages_.end(),
                               [&](const tapped_message& one) { return one.request <= request; });
  if (all) return clear();
  message_log rest;
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    const tapped_message& one = messages_[i];
    if (one.request <= request) continue;
    for (std::size_t side = 0; side < open_.size(); ++side) {
      if (open_[side] == i) rest.open_[side] = rest.messages_.size();
    }
    tapped_message moved = one;
    moved.offset = static_cast<std::uint32_t>(rest.bytes_.size());
    const std::size_t size = one.size + (one.hashed ? hash_bytes : 0);
    rest.bytes_.insert(rest.bytes_.end(), bytes_.begin() + one.offset,
                       bytes_.begin() + static_cast<std::ptrdiff_t>(one.offset + size));
    rest.messages_.push_back(moved);
  }
  *this = std::move(rest);
}

void message_log::clear() {
  messages_.clear();
  bytes_.clear();
  open_ = {none, none};
  if (bytes_.capacity() > kept_capacity) std::vector<std::byte>().swap(bytes_);
  if (messages_.capacity() * sizeof(tapped_message) > kept_capacity)
    std::vector<tapped_message>().swap(messages_);
}

}  // namespace trunkline::audit
