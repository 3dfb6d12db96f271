#include "audit/tap.h"

namespace trunkline::audit {

tap::tap(std::size_t capacity) : capacity_(capacity), memory_(new std::byte[capacity]) {}

tap::~tap() {
  publish();
  while (!empty()) {
    read(capacity_, [](const tap_header& head, byte_span payload) {
      if (head.kind != tap_kind::event) return;
      rare_event* unread = nullptr;
      std::memcpy(&unread, payload.data(), sizeof unread);
      delete unread;
    });
  }
}

/// What is written while the reader keeps up stays in the same few pages, and so in the caches.
void tap::begin_anew() {
  if (read_.load(std::memory_order_acquire) == written_) begin_ = written_;
}

/// Records are padded to whole headers, so that one always fits before the end.
void tap::write(tap_header head, byte_span payload) {
  head.size = static_cast<std::uint32_t>(sizeof head + payload.size());
  begin_anew();
  std::size_t offset = offset_of(written_);
  const std::size_t left = capacity_ - offset;
  if (left < head.size) {
    const tap_header wrap{};
    std::memcpy(memory_.get() + offset, &wrap, sizeof wrap);
    written_ += left;
    offset = 0;
  }
  std::memcpy(memory_.get() + offset, &head, sizeof head);
  if (!payload.empty()) std::memcpy(memory_.get() + offset + sizeof head, payload.data(), payload.size());
  written_ += padded(head.size);
}

void tap::write(std::unique_ptr<rare_event> event) {
  rare_event* const given = event.release();
  write({.kind = tap_kind::event, .session = given->session},
        {reinterpret_cast<const std::byte*>(&given), sizeof given});
}

}  // namespace trunkline::audit
