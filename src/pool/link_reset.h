// Removes one client's traces from a connection before the next one gets it, and makes sure that they are
// gone: every statement must succeed and leave no transaction. Owner: a shelf; one loop thread.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "pool/link.h"

namespace trunkline::pool {

class link_reset final : private runtime::stream_handler {
 public:
  using callback = void (*)(void* context, link_reset& which, bool clean);

  /// `on_done` is called on the loop, never inside `start`.
  link_reset(runtime::loop& where, std::unique_ptr<link> of, callback on_done, void* context);

  void start(bool in_transaction, std::string_view statements);
  std::unique_ptr<link> take() { return std::move(link_); }
  const link& which() const { return *link_; }

 private:
  void on_received(runtime::buffer data) override;
  void on_end(runtime::stream_end end) override;
  void take_message(char type, byte_span body);
  void finish(bool clean);

  runtime::loop& loop_;
  std::unique_ptr<link> link_;
  runtime::timer late_;
  runtime::deferred done_;
  callback on_done_;
  void* context_;
  std::vector<std::byte> unread_;
  unsigned owed_ = 0;  ///< ReadyForQuery
  bool clean_ = true;
  bool over_ = false;
};

}  // namespace trunkline::pool
