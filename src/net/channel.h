// A stream as a coroutine sees it: bytes that have arrived and wait to be read, bytes to write, and one
// signal that says "something changed". For the steps of a session's beginning and end; the relay takes the
// bare stream.
//
//     while (!channel.ended() && channel.unread().size() < wanted) co_await channel.changed().wait();
//
// Owner: one loop thread. Several channels may share one signal, so that a coroutine can wait for whichever
// moves.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/loop.h"
#include "runtime/signal.h"

namespace trunkline::net {

class channel final : public runtime::stream_handler {
 public:
  channel(runtime::loop& where, runtime::signal& changed) : loop_(&where), changed_(&changed) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() override;

  /// Takes over a stream; `connected` says whether it is ready or whether `on_connected` is still to come.
  void attach(std::unique_ptr<runtime::byte_stream> stream, bool connected);
  /// Takes over everything of another channel: stream, unread bytes, counts and end. That one is left empty.
  void take_over(channel& from);
  /// Gives the stream away, paused. Unread bytes stay until `take_unread`.
  std::unique_ptr<runtime::byte_stream> release();
  runtime::byte_stream* stream() const { return stream_.get(); }
  runtime::signal& changed() const { return *changed_; }

  bool connected() const { return connected_; }
  /// No more bytes will come; `unread` may still hold some.
  bool ended() const { return end_.has_value(); }
  runtime::stream_end end() const { return end_.value_or(runtime::stream_end{}); }
  /// Nothing more can be read or written.
  bool broken() const;

  byte_span unread() const { return {unread_.data() + start_, unread_.size() - start_}; }
  /// Forgets the first `count` bytes of `unread` and receives again where it had paused.
  void consume(std::size_t count);
  /// The unread bytes, for whoever takes the stream; `unread` is empty afterwards and its memory is free.
  std::vector<std::byte> take_unread();
  /// The same in lent buffers.
  std::vector<runtime::buffer> take_unread_buffers();

  /// Sends a copy.
  void write(byte_span bytes);
  /// Ends it from this side, as if the peer had timed out: whoever waits goes on.
  void abort();
  /// Everything written is with the kernel.
  bool drained() const { return stream_ == nullptr || stream_->unsent() == 0; }
  std::uint64_t bytes_received() const { return received_; }
  std::uint64_t bytes_written() const { return written_; }

 private:
  void on_connected() override;
  void on_received(runtime::buffer data) override;
  void on_drained() override { changed_->raise(); }
  void on_end(runtime::stream_end end) override;

  runtime::loop* loop_;
  runtime::signal* changed_;
  std::unique_ptr<runtime::byte_stream> stream_;
  std::vector<std::byte> unread_;
  std::size_t start_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
  std::optional<runtime::stream_end> end_;
  bool connected_ = false;
  bool paused_ = false;
};

}  // namespace trunkline::net
