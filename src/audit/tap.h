// From a worker to the audit thread: one ring of bytes for each worker, written by its loop thread and read
// by the audit thread, without a lock. The worker copies what passes (message bodies, figures) and nothing
// else; what it means is worked out on the other side (session_model.h). Bounded: whoever writes asks
// `has_room` first and decides what to do without (product.md G10).
//
// A record is a `tap_header`, then `size - sizeof(tap_header)` bytes of payload, padded to eight bytes. A
// message longer than its piece comes in several records of the same kind and type; `last` marks the final
// one.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "audit/event.h"
#include "base/bytes.h"
#include "telemetry/exchange.h"

namespace trunkline::audit {

enum class tap_kind : std::uint8_t {
  /// The rest of the ring up to its end is empty.
  wrap,
  /// A `session_event*` (or another `rare_event*`): the reader owns it.
  event,
  /// Body of a message of the client: Q, P, B, D, E, C, F. `request` is its number.
  client_message,
  /// Body of a message of the server: C, E, s, I, t, G, H, W. `request` is the number of what it answers; 0:
  /// of
  /// nothing (an ErrorResponse that ends the session).
  server_message,
  /// Whole messages of a session, each a `gathered_message` with its body.
  messages,
  /// A `telemetry::exchange_facts`, and behind it what `messages` holds. Everything of that session with a
  /// request number up to `last_request` that was not yet in an earlier exchange belongs to it.
  exchange_end,
  /// A `tap_gap`: records that found no room, `onFailure: continue` only.
  gap,
};

struct tap_header {
  std::uint32_t size = 0;  ///< of header and payload, without the padding
  tap_kind kind = tap_kind::wrap;
  char type = 0;          ///< PostgreSQL's message type
  std::uint8_t last = 1;  ///< the final piece of its message
  std::uint8_t cut = 0;   ///< the message is longer than what is kept of it: see `length`
  std::uint64_t session = 0;
  std::uint64_t request = 0;
  std::uint64_t length = 0;  ///< of the whole body, kept or not
};
static_assert(sizeof(tap_header) == 32);

/// The head of one message among several in a record.
struct gathered_message {
  std::uint64_t request = 0;
  std::uint32_t size = 0;  ///< of the body behind it
  char type = 0;
  std::uint8_t from_client = 0;
};
static_assert(sizeof(gathered_message) == 16);

/// Calls `visit(const gathered_message&, byte_span body)` for each message of a payload; a body that ends too
/// early is shorter than its head says.
template <class Visit>
void each_gathered(byte_span payload, Visit&& visit) {
  gathered_message head;
  while (payload.size() >= sizeof head) {
    std::memcpy(&head, payload.data(), sizeof head);
    payload = payload.subspan(sizeof head);
    const byte_span body = payload.first(std::min<std::size_t>(head.size, payload.size()));
    visit(std::as_const(head), body);
    payload = payload.subspan(body.size());
  }
}

struct tap_gap {
  std::uint64_t exchanges = 0;  ///< lost since the last record, counted by their ends
  std::uint64_t events = 0;     ///< lost session events
  std::chrono::steady_clock::time_point from{};
  std::chrono::steady_clock::time_point to{};
};

/// Whoever reads the taps, as a worker sees it. Any thread.
class tap_reader {
 public:
  virtual ~tap_reader() = default;
  /// Something was published. Costs a system call only where the reader sleeps.
  virtual void notify() = 0;
  /// What was read cannot be kept at present. One relaxed load.
  virtual bool blocked() const = 0;
};

class tap {
 public:
  /// `capacity` is a power of two, at least 4 KiB.
  explicit tap(std::size_t capacity);
  tap(const tap&) = delete;
  tap& operator=(const tap&) = delete;
  /// Events that nobody has read are destroyed.
  ~tap();

  // ---- the worker's side ----

  /// Records of so many bytes in all, headers included, would fit now.
  bool has_room(std::size_t bytes) {
    if (capacity_ - (written_ - seen_read_) >= bytes) return true;
    seen_read_ = read_.load(std::memory_order_acquire);
    return capacity_ - (written_ - seen_read_) >= bytes;
  }
  /// What one record takes at the most, a wrap before it included.
  static constexpr std::size_t cost(std::size_t payload) { return 2 * padded(sizeof(tap_header) + payload); }
  /// Precondition: has_room(cost(payload.size())), and that at most a quarter of the capacity. `head.size` is
  /// filled in.
  void write(tap_header head, byte_span payload);
  void write(std::unique_ptr<rare_event> event);
  /// Makes what was written visible to the reader; once per turn of the loop is enough.
  void publish() { published_.store(written_, std::memory_order_release); }

  // ---- the audit thread's side ----

  /// Calls `take(const tap_header&, byte_span payload)` for each record that is there, up to about `most`
  /// bytes; an event's payload is a `rare_event*` to be owned. Answers the bytes read; 0: it was empty. The
  /// space is free again only after the call.
  template <class Take>
  std::size_t read(std::size_t most, Take&& take) {
    const std::uint64_t end = published_.load(std::memory_order_acquire);
    const std::uint64_t begin = read_.load(std::memory_order_relaxed);
    std::uint64_t at = begin;
    while (at != end && at - begin < most) {
      tap_header head;
      const std::size_t offset = offset_of(at);
      std::memcpy(&head, memory_.get() + offset, sizeof head);
      if (head.kind == tap_kind::wrap) {
        at += capacity_ - offset;
        continue;
      }
      take(head, byte_span{memory_.get() + offset + sizeof head, head.size - sizeof head});
      at += padded(head.size);
    }
    read_.store(at, std::memory_order_release);
    return static_cast<std::size_t>(at - begin);
  }
  bool empty() const {
    return published_.load(std::memory_order_acquire) == read_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::size_t padded(std::size_t size) {
    return (size + sizeof(tap_header) - 1) / sizeof(tap_header) * sizeof(tap_header);
  }

  std::size_t offset_of(std::uint64_t position) const {
    return static_cast<std::size_t>(position - begin_) & (capacity_ - 1);
  }
  void begin_anew();

  const std::size_t capacity_;
  std::unique_ptr<std::byte[]> memory_;
  std::uint64_t begin_ = 0;      // the position at the front of the memory; changes only while all is read
  std::uint64_t written_ = 0;    // the worker's
  std::uint64_t seen_read_ = 0;  // the worker's: `read_` as it last looked
  alignas(64) std::atomic<std::uint64_t> published_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
};

}  // namespace trunkline::audit
